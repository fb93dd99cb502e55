import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import { isClientEvent } from '../../lambdas/core/event-type.ts';
import { isJsonPath } from '../../lambdas/core/jsonpath/expression.ts';
import { parseTemplate } from '../../lambdas/core/template/parse.ts';

/** Fields of the rule output as functions of AWS IoT SQL (AWS IoT Core, "Substitution templates"). */
const FUNCTIONS: Readonly<Record<string, string>> = {
  id: 'newuuid()',
  clientid: 'clientid()',
  principal: 'principal()',
  topic: 'topic()',
  peerhost: 'sourceip()',
  timestamp: 'timestamp()',
};

/**
 * The same for client events: AWS IoT Core publishes these itself, so that the functions do not return the client's values; the
 * fields of the payload do (AWS IoT Core, "Lifecycle events").
 */
const OF_CLIENT_EVENTS: Readonly<Record<string, string>> = {
  id: 'newuuid()',
  clientid: 'clientId',
  principal: 'principalIdentifier',
  timestamp: 'timestamp',
};

/** Translates a template to a substitution template. @throws InvalidOptionError for a placeholder that only a worker can render. */
export function nativeTemplate(template: string, option: string, eventType: string): string {
  const known = isClientEvent(eventType) ? OF_CLIENT_EVENTS : FUNCTIONS;
  const expected = `placeholders among ${Object.keys(known).join(', ')}, which AWS IoT Core can render without a buffer`;
  if (isJsonPath(template)) throw new InvalidOptionError(option, template, expected);
  return parseTemplate(template)
    .map((part) => {
      if (typeof part === 'string') {
        if (part.includes('${')) throw new InvalidOptionError(option, template, expected);
        return part;
      }
      const name = part.path.join('.');
      if (!Object.hasOwn(known, name)) throw new InvalidOptionError(option, template, expected);
      return `\${${known[name]}}`;
    })
    .join('');
}
