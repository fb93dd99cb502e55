import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.RPCHook;
import org.apache.rocketmq.remoting.protocol.RemotingSerializable;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/**
 * Calls RocketMQ's own admin tool, producer and consumer on requests, which are lines of JSON such as {"id":1,"do":"count", …}. The response
 * is any number of {"id":1,"item": …}, then one {"id":1,"result": …} or {"id":1,"error":"…"}. It ends with standard input.
 */
// The deprecated consumer reads from any offset; its successor keeps the offset of a group.
@SuppressWarnings("deprecation")
public final class Client {
  // Versions 4 and 5 have these constants in different classes.
  private static final int PERM_READ = 4;
  private static final int PERM_WRITE = 2;
  private static final int PULL_MESSAGES = 1000;
  private static final long PULL_TIMEOUT_MS = 20_000;

  private final PrintStream answers;
  private final DefaultMQAdminExt admin;
  private final DefaultMQProducer producer;
  private final DefaultMQPullConsumer consumer;

  /** Arguments: the name server's address; with access control, the access key and the secret key. */
  public static void main(String[] arguments) throws Exception {
    PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    // Libraries print, too; responses must not be mixed with that.
    System.setOut(System.err);
    RPCHook signature =
        arguments.length < 3 ? null : new AclClientRPCHook(new SessionCredentials(arguments[1], arguments[2]));
    Client client = new Client(answers, arguments[0], signature);
    ExecutorService threads = Executors.newCachedThreadPool();
    BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = questions.readLine(); line != null; line = questions.readLine()) {
      Map<String, Object> question = object(RemotingSerializable.fromJson(line, Map.class));
      threads.execute(() -> client.answer(question));
    }
    Runtime.getRuntime().halt(0);
  }

  private Client(PrintStream answers, String nameServer, RPCHook signature) throws Exception {
    this.answers = answers;
    admin = new DefaultMQAdminExt(signature);
    admin.setNamesrvAddr(nameServer);
    admin.start();
    producer = new DefaultMQProducer("outflow-test-producer", signature);
    producer.setNamesrvAddr(nameServer);
    // A message that is sent again may be stored twice.
    producer.setRetryTimesWhenSendFailed(0);
    // The default of three seconds is short for a busy machine.
    producer.setSendMsgTimeout(20_000);
    producer.start();
    consumer = new DefaultMQPullConsumer("outflow-test-consumer", signature);
    consumer.setNamesrvAddr(nameServer);
    consumer.start();
  }

  private void answer(Map<String, Object> question) {
    try {
      tell(question, "result", run(question));
    } catch (Throwable failure) {
      tell(question, "error", reasons(failure));
    }
  }

  private static String reasons(Throwable failure) {
    String cause = failure.getCause() == null ? "" : "; " + reasons(failure.getCause());
    return failure + cause;
  }

  private void tell(Map<String, Object> question, String part, Object value) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("id", question.get("id"));
    line.put(part, value);
    answers.println(RemotingSerializable.toJson(line, false));
  }

  private Object run(Map<String, Object> question) throws Exception {
    switch (text(question, "do")) {
      case "isRegistered":
        return isRegistered(text(question, "broker"));
      case "register":
        return register(text(question, "broker"));
      case "createTopic":
        return createTopic(question);
      case "createUser":
        return createUser(question);
      case "hasRoute":
        return !admin.examineTopicRouteInfo(text(question, "topic")).getQueueDatas().isEmpty();
      case "send":
        return send(question);
      case "count":
        return count(text(question, "topic"));
      case "read":
        return read(question);
      default:
        throw new IllegalArgumentException("do: " + question.get("do"));
    }
  }

  /** Whether the broker is registered with the name server, and answers. */
  private boolean isRegistered(String broker) throws Exception {
    var brokers = admin.examineBrokerClusterInfo().getBrokerAddrTable().values();
    if (brokers.stream().noneMatch(one -> one.getBrokerAddrs().containsValue(broker))) return false;
    admin.fetchBrokerRuntimeStats(broker);
    return true;
  }

  /** Makes the broker register with the name server, by a change of a setting. Without that, it registers every ten seconds. */
  private Object register(String broker) throws Exception {
    Properties settings = new Properties();
    settings.setProperty("brokerPermission", "6");
    admin.updateBrokerConfig(broker, settings);
    return true;
  }

  private Object createTopic(Map<String, Object> question) throws Exception {
    int queues = ((Number) question.get("queues")).intValue();
    TopicConfig topic = new TopicConfig(text(question, "topic"), queues, queues, PERM_READ | PERM_WRITE);
    // Version 4 has no attributes.
    if (question.get("type") != null)
      TopicConfig.class
          .getMethod("setAttributes", Map.class)
          .invoke(topic, Map.of("+message.type", text(question, "type")));
    admin.createAndUpdateTopicConfig(text(question, "broker"), topic);
    return true;
  }

  /** Version 5 only: version 4 reads a file. */
  private Object createUser(Map<String, Object> question) throws Exception {
    String broker = text(question, "broker");
    String user = text(question, "accessKey");
    invokeAdmin("createUser", broker, user, text(question, "secretKey"), "Normal");
    List<String> resources = new ArrayList<>(List.of("Group:*"));
    List<?> topics = (List<?>) question.get("topics");
    if (topics == null) resources.add("Topic:*");
    else topics.forEach(topic -> resources.add("Topic:" + topic));
    invokeAdmin("createAcl", broker, "User:" + user, resources, List.of("Pub", "Sub"), List.of(), "Allow");
    return true;
  }

  private void invokeAdmin(String name, Object... arguments) throws Exception {
    for (var method : DefaultMQAdminExt.class.getMethods()) {
      if (!method.getName().equals(name) || method.getParameterCount() != arguments.length) continue;
      method.invoke(admin, arguments);
      return;
    }
    throw new NoSuchMethodException(name);
  }

  private Object send(Map<String, Object> question) throws Exception {
    Message message = new Message();
    message.setTopic(text(question, "topic"));
    message.setBody(Base64.getDecoder().decode(text(question, "body")));
    if (question.get("keys") != null) message.setKeys(text(question, "keys"));
    if (question.get("tags") != null) message.setTags(text(question, "tags"));
    Map<String, Object> properties = object(question.get("properties"));
    properties.forEach((name, value) -> message.putUserProperty(name, (String) value));
    SendResult sent = producer.send(message);
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("queueId", sent.getMessageQueue().getQueueId());
    result.put("queueOffset", sent.getQueueOffset());
    result.put("messageId", sent.getMsgId());
    return result;
  }

  private long count(String topic) throws Exception {
    long count = 0;
    for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(topic))
      count += consumer.maxOffset(queue) - consumer.minOffset(queue);
    return count;
  }

  private Object read(Map<String, Object> question) throws Exception {
    long count = 0;
    for (MessageQueue queue : new TreeSet<>(consumer.fetchSubscribeMessageQueues(text(question, "topic")))) {
      long end = consumer.maxOffset(queue);
      long offset = consumer.minOffset(queue);
      while (offset < end) {
        PullResult pulled = consumer.pull(queue, "*", offset, PULL_MESSAGES, PULL_TIMEOUT_MS);
        if (pulled.getPullStatus() == PullStatus.NO_NEW_MSG) break;
        if (pulled.getMsgFoundList() != null) {
          for (MessageExt message : pulled.getMsgFoundList()) tell(question, "item", item(message));
          count += pulled.getMsgFoundList().size();
        }
        offset = pulled.getNextBeginOffset();
      }
    }
    return count;
  }

  private static Map<String, Object> item(MessageExt message) {
    Map<String, Object> item = new LinkedHashMap<>();
    item.put("topic", message.getTopic());
    item.put("body", Base64.getEncoder().encodeToString(message.getBody() == null ? new byte[0] : message.getBody()));
    item.put("keys", message.getKeys());
    item.put("tags", message.getTags());
    item.put("properties", message.getProperties());
    item.put("queueId", message.getQueueId());
    item.put("queueOffset", message.getQueueOffset());
    item.put("bornTimestamp", message.getBornTimestamp());
    item.put("storeTimestamp", message.getStoreTimestamp());
    item.put("messageId", message.getMsgId());
    return item;
  }

  private static String text(Map<String, Object> question, String name) {
    return (String) question.get(name);
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> object(Object value) {
    return (Map<String, Object>) value;
  }
}
