import java.io.IOException;
import java.util.Arrays;

/** Runs the main method of another class for as long as standard input is open: not longer than the process that started it. */
public final class Server {
  public static void main(String[] arguments) throws Exception {
    Thread lifeline = new Thread(Server::live, "lifeline");
    lifeline.setDaemon(true);
    lifeline.start();
    String[] rest = Arrays.copyOfRange(arguments, 1, arguments.length);
    Class.forName(arguments[0]).getMethod("main", String[].class).invoke(null, (Object) rest);
  }

  private static void live() {
    try {
      while (System.in.read() >= 0) {}
    } catch (IOException broken) {
      broken.printStackTrace();
    }
    // Its shutdown hooks take about twelve seconds.
    Runtime.getRuntime().halt(0);
  }
}
