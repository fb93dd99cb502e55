import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import { isClientEvent } from '../../lambdas/core/event-type.ts';
import { parseTemplate } from '../../lambdas/core/template/parse.ts';

/** What of a rule output IoT Core's own substitution templates can say (AWS IoT Core, "Substitution templates"). */
const FUNCTIONS: Readonly<Record<string, string>> = {
  id: 'newuuid()',
  clientid: 'clientid()',
  principal: 'principal()',
  topic: 'topic()',
  peerhost: 'sourceip()',
  timestamp: 'timestamp()',
};

/** AWS IoT Core itself publishes what clients do, so functions tell nothing of the client; fields of the event do ("Lifecycle events"). */
const OF_CLIENT_EVENTS: Readonly<Record<string, string>> = {
  id: 'newuuid()',
  clientid: 'clientId',
  principal: 'principalIdentifier',
  timestamp: 'timestamp',
};

/** Translates a template for an action of IoT Core's own. @throws InvalidOptionError for what only a worker could render. */
export function nativeTemplate(template: string, option: string, kind: string): string {
  const known = isClientEvent(kind) ? OF_CLIENT_EVENTS : FUNCTIONS;
  const wanted = `placeholders among ${Object.keys(known).join(', ')}: without a buffer, IoT Core renders them`;
  return parseTemplate(template)
    .map((part) => {
      if (typeof part === 'string') {
        if (part.includes('${')) throw new InvalidOptionError(option, template, wanted);
        return part;
      }
      const name = part.path.join('.');
      if (!Object.hasOwn(known, name)) throw new InvalidOptionError(option, template, wanted);
      return `\${${known[name]}}`;
    })
    .join('');
}
