import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.hivemq.configuration.service.InternalConfigurations;
import com.hivemq.embedded.EmbeddedExtension;
import com.hivemq.embedded.EmbeddedHiveMQ;
import com.hivemq.extension.sdk.api.ExtensionMain;
import com.hivemq.extension.sdk.api.auth.PublishAuthorizer;
import com.hivemq.extension.sdk.api.auth.SimpleAuthenticator;
import com.hivemq.extension.sdk.api.auth.SubscriptionAuthorizer;
import com.hivemq.extension.sdk.api.auth.parameter.PublishAuthorizerInput;
import com.hivemq.extension.sdk.api.auth.parameter.PublishAuthorizerOutput;
import com.hivemq.extension.sdk.api.auth.parameter.SimpleAuthInput;
import com.hivemq.extension.sdk.api.auth.parameter.SimpleAuthOutput;
import com.hivemq.extension.sdk.api.auth.parameter.SubscriptionAuthorizerInput;
import com.hivemq.extension.sdk.api.auth.parameter.SubscriptionAuthorizerOutput;
import com.hivemq.extension.sdk.api.packets.connect.ConnackReasonCode;
import com.hivemq.extension.sdk.api.packets.publish.AckReasonCode;
import com.hivemq.extension.sdk.api.packets.subscribe.SubackReasonCode;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartOutput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopOutput;
import com.hivemq.extension.sdk.api.services.Services;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.regex.Pattern;

/** Runs HiveMQ in a folder with conf/config.xml, access.json and the certificates as PEM. */
public final class Broker implements ExtensionMain {
  private static final char[] PASSWORD = "changeit".toCharArray();

  private final Path folder;

  private Broker(Path folder) {
    this.folder = folder;
  }

  public static void main(String[] args) throws Exception {
    var folder = Path.of(args[0]);
    writeKeyStores(folder);
    System.setProperty("hivemq.log.folder", folder.resolve("data").toString());
    // By default no client has more than 50 unacknowledged messages, whatever its receive maximum is. With 65,535, a shared subscription
    // takes all packet identifiers of a client and stalls.
    InternalConfigurations.MAX_INFLIGHT_WINDOW_SIZE_MESSAGES = 1_000;
    var access = EmbeddedExtension.builder()
        .withId("access")
        .withName("access")
        .withVersion("1")
        .withAuthor("outflow")
        .withPriority(0)
        .withStartPriority(0)
        .withExtensionMain(new Broker(folder))
        .build();
    var broker = EmbeddedHiveMQ.builder()
        .withConfigurationFolder(folder.resolve("conf"))
        .withDataFolder(folder.resolve("data"))
        .withExtensionsFolder(Files.createDirectories(folder.resolve("extensions")))
        .withEmbeddedExtension(access)
        .build();
    broker.start().join();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> broker.stop().join()));
    Thread.currentThread().join();
  }

  @Override
  public void extensionStart(ExtensionStartInput input, ExtensionStartOutput output) {
    Services.securityRegistry().setAuthenticatorProvider(any -> (SimpleAuthenticator) this::authenticate);
    var authorizer = new Authorizer(access().get("deniedTopics"));
    Services.securityRegistry().setAuthorizerProvider(any -> authorizer);
  }

  @Override
  public void extensionStop(ExtensionStopInput input, ExtensionStopOutput output) {}

  private void authenticate(SimpleAuthInput input, SimpleAuthOutput output) {
    var packet = input.getConnectPacket();
    var user = packet.getUserName();
    var password = packet.getPassword().map(bytes -> StandardCharsets.UTF_8.decode(bytes).toString());
    var hasCertificate = input.getConnectionInformation()
        .getClientTlsInformation()
        .flatMap(tls -> tls.getClientCertificate())
        .isPresent();
    // Users change while the broker runs.
    var access = access();
    var expected = user.map(name -> access.get("users").get(name)).map(JsonNode::asText);
    var isUser = expected.isPresent() && expected.equals(password);
    var isAnonymous = user.isEmpty() && access.get("anonymous").asBoolean();
    if (hasCertificate || isUser || isAnonymous) output.authenticateSuccessfully();
    else output.failAuthentication(ConnackReasonCode.BAD_USER_NAME_OR_PASSWORD, "bad user name or password");
  }

  private JsonNode access() {
    try {
      return new ObjectMapper().readTree(folder.resolve("access.json").toFile());
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static final class Authorizer implements PublishAuthorizer, SubscriptionAuthorizer {
    private final Pattern denied;

    Authorizer(JsonNode filters) {
      var patterns = new StringBuilder("$.");
      for (var filter : filters) patterns.append('|').append(pattern(filter.asText()));
      denied = Pattern.compile(patterns.toString());
    }

    private static String pattern(String filter) {
      return Pattern.quote(filter)
          .replaceFirst("/#\\\\E$", "\\\\E(/.*)?")
          .replaceFirst("#\\\\E$", "\\\\E.*")
          .replace("+", "\\E[^/]*\\Q");
    }

    @Override
    public void authorizePublish(PublishAuthorizerInput input, PublishAuthorizerOutput output) {
      if (isDenied(input.getPublishPacket().getTopic())) output.failAuthorization(AckReasonCode.NOT_AUTHORIZED, "denied topic");
      else output.authorizeSuccessfully();
    }

    @Override
    public void authorizeSubscribe(SubscriptionAuthorizerInput input, SubscriptionAuthorizerOutput output) {
      var filter = input.getSubscription().getTopicFilter().replaceFirst("^\\$share/[^/]*/", "");
      if (isDenied(filter)) output.failAuthorization(SubackReasonCode.NOT_AUTHORIZED, "denied topic");
      else output.authorizeSuccessfully();
    }

    private boolean isDenied(String topic) {
      return denied.matcher(topic).matches();
    }
  }

  private static void writeKeyStores(Path folder) throws Exception {
    var own = emptyStore();
    own.setKeyEntry("server", key(folder), PASSWORD, new Certificate[] {certificate(folder, "server.pem")});
    write(own, folder.resolve("server.p12"));
    var trusted = emptyStore();
    trusted.setCertificateEntry("ca", certificate(folder, "ca.pem"));
    write(trusted, folder.resolve("trusted.p12"));
  }

  private static KeyStore emptyStore() throws Exception {
    var store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    return store;
  }

  private static void write(KeyStore store, Path file) throws Exception {
    try (OutputStream output = Files.newOutputStream(file)) {
      store.store(output, PASSWORD);
    }
  }

  private static PrivateKey key(Path folder) throws Exception {
    var base64 = Files.readString(folder.resolve("server.key")).replaceAll("-----.*-----|\\s", "");
    return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(base64)));
  }

  private static Certificate certificate(Path folder, String name) throws Exception {
    var pem = new ByteArrayInputStream(Files.readAllBytes(folder.resolve(name)));
    return CertificateFactory.getInstance("X.509").generateCertificate(pem);
  }
}
