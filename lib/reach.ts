import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import type { DataFormat } from '../lambdas/core/event.ts';
import { CLIENT_EVENT_TYPES, DELIVERED, eventTypeOfTopic, PUBLISH } from '../lambdas/core/event-type.ts';
import type { TaskSpec } from '../lambdas/core/spec.ts';
import { parseTemplate } from '../lambdas/core/template/parse.ts';
import { eventShape, type Fields, OPEN, ruleOutputShape, type Shape, VALUE } from './message-shape.ts';

const ALL_TYPES: readonly string[] = [...Object.values(CLIENT_EVENT_TYPES), PUBLISH, DELIVERED];

/**
 * Refuses patterns, templates and routes that no message of the task's source can ever match or fill, with the name that was
 * probably meant.
 *
 * @param task The task's path, for errors.
 * @param rendersNatively Whether AWS IoT Core renders the sink's templates, which then have other names.
 * @throws InvalidOptionError
 */
export function checkReach(task: string, spec: TaskSpec, rendersNatively = false): void {
  const types = typesOf(spec.source);
  const event = eventShape(types, spec.source.dataFormat);
  if (spec.filter !== undefined) checkPattern(`${task}.filter`, spec.filter, event, spec.source.dataFormat);
  for (const [i, { filter }] of (spec.transform ?? []).entries())
    checkPattern(`${task}.transform.${i}.filter`, filter, event, spec.source.dataFormat);
  if (!rendersNatively) checkTexts(`${task}.sink`, spec.sink, types, event);
  for (const [i, { kind, filter, sink }] of (spec.route?.routes ?? []).entries()) {
    const option = `${task}.route.routes.${i}`;
    if (kind !== undefined) checkKind(`${option}.kind`, kind, types);
    const routed = kind === undefined ? types : [kind];
    const routedEvent = eventShape(routed, spec.source.dataFormat);
    if (filter !== undefined) checkPattern(`${option}.filter`, filter, routedEvent, spec.source.dataFormat);
    checkTexts(`${option}.sink`, sink, routed, routedEvent);
  }
}

/** The event types that a source can have. */
function typesOf({ type, filters }: TaskSpec['source']): readonly string[] {
  if (type === 'iot-core') return [PUBLISH];
  return type === 'hooks' ? ALL_TYPES : [...new Set(filters.map(eventTypeOfTopic))];
}

function checkKind(option: string, kind: string, types: readonly string[]): void {
  if (types.includes(kind)) return;
  const withoutFamily = (type: string) => type.replace(/^(mqtt\.)?((message|client|session)\.)?/, '');
  const meant = nearest(withoutFamily(kind), ALL_TYPES, withoutFamily);
  const known = types.join(', ');
  throw new InvalidOptionError(
    option,
    kind,
    meant !== undefined && types.includes(meant)
      ? `'${meant}'`
      : `an event type of the source: ${known}${meant === undefined ? '' : `; for ${meant}, use another source`}`,
  );
}

function checkPattern(option: string, pattern: object, shape: Fields, dataFormat: DataFormat): void {
  for (const [key, inner] of Object.entries(pattern)) {
    if (key === '$or' && Array.isArray(inner)) {
      for (const [i, each] of inner.entries()) checkPattern(`${option}.$or.${i}`, each, shape, dataFormat);
      continue;
    }
    const known = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (known === undefined)
      throw unknownField(`${option}.${key}`, 'a key that no event has', key, shape, PATTERN_NAMES);
    if (Array.isArray(inner) || known === OPEN || typeof inner !== 'object' || inner === null) continue;
    if (known !== VALUE) checkPattern(`${option}.${key}`, inner, known, dataFormat);
    else
      throw new InvalidOptionError(
        `${option}.${key}`,
        described('fields'),
        key === 'body'
          ? `a list of conditions; with dataFormat '${dataFormat}', data.body is text`
          : 'a list of conditions',
      );
  }
}

/** Checks the templates and JSONPaths among a sink's options. */
function checkTexts(option: string, value: unknown, types: readonly string[], event: Fields): void {
  if (typeof value === 'string') checkText(option, value, types, event);
  else if (typeof value === 'object' && value !== null)
    for (const [name, inner] of Object.entries(value)) checkTexts(`${option}.${name}`, inner, types, event);
}

const MUSTACHE = /\{\{\s*([\w.$]+)\s*\}\}/;
/** A JSONPath that begins with names; the first two are fields of the event and of its data. */
const NAMED_PATH = /^\$\.(\w+)(?:\.(\w+))?/;

function checkText(option: string, text: string, types: readonly string[], event: Fields): void {
  const [, inBraces] = MUSTACHE.exec(text) ?? [];
  if (inBraces !== undefined)
    throw new InvalidOptionError(option, text, `\${${inBraces}}: a placeholder is \${…}, not {{…}}`);
  const [path, first, second] = NAMED_PATH.exec(text) ?? [];
  if (path !== undefined) {
    checkPath(
      option,
      text,
      [first!, ...(first === 'data' && second !== undefined ? [second] : [])],
      event,
      PATTERN_NAMES,
    );
    return;
  }
  const shape = ruleOutputShape(types);
  for (const part of parseTemplate(text)) {
    if (typeof part === 'string' || part.path.length === 0) continue;
    const listed = part.path.find((name) => /\[.*\]$/.test(name));
    if (listed !== undefined)
      throw new InvalidOptionError(
        option,
        part.source,
        `\${${part.path.join('.').replaceAll(/\[[^\]]*\]/g, '')}}, the whole list: a template cannot name elements of lists`,
      );
    checkPath(option, part.source, part.path, shape, TEMPLATE_NAMES);
  }
}

function checkPath(option: string, text: string, path: readonly string[], fields: Fields, names: NearMisses): void {
  let shape: Shape = fields;
  for (const name of path) {
    if (shape === OPEN || shape === VALUE) return;
    const inner: Shape | undefined = Object.hasOwn(shape, name) ? shape[name] : undefined;
    if (inner === undefined) throw unknownField(option, text, name, shape, names);
    shape = inner;
  }
}

type NearMisses = readonly (readonly [name: RegExp, instead: string])[];

/** Names of other products, in lower case without punctuation. */
const PATTERN_NAMES: NearMisses = [
  [/^(payload|body|message|value)$/, 'data.body, the payload'],
  [/^detail$/, 'data'],
  [/^(topic|mqtttopic)$/, 'data.topic, or subject'],
  [/^(detailtype|kind|event)$/, 'type'],
];
const TEMPLATE_NAMES: NearMisses = [
  [/^(node|nodename)$/, 'nothing: AWS IoT Core reports no node'],
  [/^(data|body|detail|message|value)$/, '${payload}, or ${payload.<field>}'],
  [/^(ts|time|publishreceivedat|now)$/, '${timestamp}, in milliseconds since 1970'],
  [/^(sourceip|ip|peername)$/, '${peerhost}'],
  [/^(messageid|msgid|mid)$/, '${id}'],
  [/^(userproperties|userproperty|headers)$/, '${pub_props.User-Property.<name>}'],
];

function unknownField(
  option: string,
  given: string,
  name: string,
  shape: Fields,
  names: NearMisses,
): InvalidOptionError {
  const known = Object.keys(shape);
  const plain = simplified(name);
  const meant = nearest(name, known, (field) => field);
  const inData = names === PATTERN_NAMES && typeof shape['data'] === 'object';
  const [, other] = names.find(([pattern]) => pattern.test(plain)) ?? [];
  const isData = names === PATTERN_NAMES && Object.hasOwn(shape, 'systemProperties');
  let expected = meant ?? other;
  if (expected === undefined && inData) {
    const dataField = nearest(name, Object.keys(shape['data'] as Fields), (field) => field);
    if (dataField !== undefined) expected = `data.${dataField}`;
  }
  if (isData && meant === undefined)
    expected = `data.body.${name} for a field of the payload, or one of ${known.join(', ')}`;
  const shown = given === 'a key that no event has' ? described(given) : given;
  return new InvalidOptionError(option, shown, expected ?? `one of ${known.join(', ')}`);
}

/** The candidate that differs only in case and punctuation, or in one or two characters. */
function nearest(name: string, candidates: readonly string[], part: (candidate: string) => string): string | undefined {
  const plain = simplified(name);
  const equal = candidates.find((each) => simplified(each) === plain || simplified(part(each)) === plain);
  return (
    equal ??
    candidates.find(
      (each) => plain.length > 3 && [each, part(each)].some((text) => distance(simplified(text), plain) <= 2),
    )
  );
}

function simplified(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Edit distance of two short texts. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}
