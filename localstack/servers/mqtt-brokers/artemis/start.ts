import { join } from 'node:path';
import type { MqttBroker, MqttBrokerOptions } from '../broker.ts';
import { writeFile } from '../files.ts';
import { java } from '../jvm.ts';
import type { Layout } from '../layout.ts';
import { runBroker } from '../run.ts';
import { brokerXml } from './broker-xml.ts';
import { ARTEMIS_VERSION, classPath, isInstalled } from './install.mjs';

const HEAP_MB = 512;

/**
 * Starts ActiveMQ Artemis, which redelivers a message without limit. It refuses a client beyond `maxConnections` by closing the
 * connection before CONNACK, and it has no receive maximum.
 *
 * @throws Error with the end of its log if it does not start within two minutes
 */
export function startArtemis(options: Omit<MqttBrokerOptions, 'receiveMaximum'>): Promise<MqttBroker> {
  return runBroker(
    {
      name: 'artemis',
      version: ARTEMIS_VERSION,
      isInstalled,
      configure(layout) {
        writeFile(layout, 'conf/broker.xml', brokerXml(layout));
        writeFile(layout, 'conf/bootstrap.xml', bootstrap(layout));
        writeFile(layout, 'conf/management.xml', '<management-context xmlns="http://activemq.apache.org/schema"/>');
        writeFile(layout, 'conf/login.config', login(layout));
        writeFile(layout, 'conf/certificates.properties', 'client=/CN=client/\n');
        writeFile(layout, 'conf/key-store.properties', keyStore(layout));
        writeFile(layout, 'conf/log.properties', LOG);
      },
      writeUsers(layout) {
        const users = [...layout.users].map(([name, password]) => `${escaped(name)}=${escaped(password)}\n`);
        writeFile(layout, 'conf/users.properties', users.join(''));
        writeFile(
          layout,
          'conf/roles.properties',
          `amq=${['client', ...layout.users.keys()].map(escaped).join(',')}\n`,
        );
      },
      command: (layout) => java(layout, { ...program(layout), heapMb: HEAP_MB }),
    },
    options,
  );
}

function program({ home, folder }: Layout) {
  const conf = join(folder, 'conf');
  return {
    classPath: classPath(home),
    main: ['org.apache.activemq.artemis.cli.Artemis', 'run'],
    properties: {
      'artemis.home': folder,
      'artemis.instance': folder,
      'artemis.instance.etc': conf,
      'data.dir': join(folder, 'data'),
      'java.security.auth.login.config': join(conf, 'login.config'),
      'log4j2.configurationFile': join(conf, 'log.properties'),
      'log4j2.disableJmx': 'true',
    },
  };
}

function bootstrap({ folder }: Layout): string {
  return `<broker xmlns="http://activemq.apache.org/schema">
  <jaas-security domain="passwords" certificate-domain="certificates"/>
  <server configuration="file:${join(folder, 'conf/broker.xml')}"/>
</broker>
`;
}

function login({ anonymous }: Layout): string {
  const module = (name: string, flag: string, options: Record<string, string>) =>
    [
      `  org.apache.activemq.artemis.spi.core.security.jaas.${name} ${flag}`,
      ...Object.entries(options).map(([key, value]) => `    ${key}="${value}"`),
    ].join('\n');
  const guest = module('GuestLoginModule', 'sufficient', {
    // Only for clients without a user name and a password.
    credentialsInvalidate: 'true',
    'org.apache.activemq.jaas.guest.user': 'guest',
    'org.apache.activemq.jaas.guest.role': 'amq',
  });
  const passwords = module('PropertiesLoginModule', 'required', {
    reload: 'true',
    'org.apache.activemq.jaas.properties.user': 'users.properties',
    'org.apache.activemq.jaas.properties.role': 'roles.properties',
  });
  const certificates = module('TextFileCertificateLoginModule', 'required', {
    'org.apache.activemq.jaas.textfiledn.user': 'certificates.properties',
    'org.apache.activemq.jaas.textfiledn.role': 'roles.properties',
  });
  return `passwords {\n${anonymous ? `${guest};\n` : ''}${passwords};\n};\ncertificates {\n${certificates};\n};\n`;
}

function keyStore({ files }: Layout): string {
  return `source.key=${files.key}\nsource.cert=${files.certificate}\n`;
}

/** Text in a Java properties file. */
function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

// The audit log has a line for each call inside the broker.
const LOG = `rootLogger.level=INFO
rootLogger.appenderRef.console.ref=console
logger.audit.name=org.apache.activemq.audit
logger.audit.level=OFF
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %level %msg%n
`;
