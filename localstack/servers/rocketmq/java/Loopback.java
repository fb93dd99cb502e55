import java.io.ByteArrayInputStream;
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.security.ProtectionDomain;
import javassist.ClassClassPath;
import javassist.ClassPool;
import javassist.CtClass;

/** A Java agent: servers that listen on every interface listen on 127.0.0.1 only. RocketMQ 4 has no setting for that. */
public final class Loopback {
  private static final String CHANNEL = "sun.nio.ch.ServerSocketChannelImpl";
  private static final String TO_LOOPBACK =
      "if ($1 instanceof java.net.InetSocketAddress && ((java.net.InetSocketAddress) $1).getAddress().isAnyLocalAddress())"
          + " $1 = new java.net.InetSocketAddress(\"127.0.0.1\", ((java.net.InetSocketAddress) $1).getPort());";

  public static void premain(String arguments, Instrumentation instrumentation) throws Exception {
    Class<?> channel = Class.forName(CHANNEL);
    instrumentation.addTransformer(new Rebind(), true);
    instrumentation.retransformClasses(channel);
  }

  private static final class Rebind implements ClassFileTransformer {
    @Override
    public byte[] transform(ClassLoader loader, String name, Class<?> known, ProtectionDomain domain, byte[] bytes) {
      if (!CHANNEL.replace('.', '/').equals(name)) return null;
      try {
        ClassPool pool = new ClassPool();
        pool.appendClassPath(new ClassClassPath(Object.class));
        CtClass channel = pool.makeClass(new ByteArrayInputStream(bytes));
        CtClass[] parameters = {pool.get("java.net.SocketAddress"), CtClass.intType};
        channel.getDeclaredMethod("bind", parameters).insertBefore(TO_LOOPBACK);
        return channel.toBytecode();
      } catch (Exception impossible) {
        // Without the change, the server would be open to the network.
        impossible.printStackTrace();
        Runtime.getRuntime().halt(1);
        return null;
      }
    }
  }
}
