import { Token } from 'aws-cdk-lib';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import { isJsonPath, isRendered } from '../../lambdas/core/jsonpath/expression.ts';
import { parseTemplate } from '../../lambdas/core/template/parse.ts';
import type { Route } from '../route.ts';

/** The topics that a sink and its routes name: literally, and by templates or JSONPaths. */
export interface NamedTopics {
  readonly literal: readonly string[];
  readonly rendered: readonly string[];
}

/** Collects the topics of a task. With at least one route, only routes deliver. */
export function namedTopics(topic: string, routes: readonly Route<{ readonly topic?: string }>[]): NamedTopics {
  const named = new Set((routes.length === 0 ? [{ sink: {} }] : routes).map(({ sink }) => ({ topic, ...sink }).topic));
  const isTemplate = (one: string) => !Token.isUnresolved(one) && isRendered(one);
  return { literal: [...named].filter((one) => !isTemplate(one)), rendered: [...named].filter(isTemplate) };
}

/**
 * Checks the option `topics`, which lists what a template or JSONPath may render.
 *
 * @throws InvalidOptionError when a topic begins with a placeholder and there is no list, or when the list has no effect.
 */
export function checkTopicList(
  option: string,
  topics: readonly string[] | undefined,
  { rendered }: NamedTopics,
  routes: readonly Route<object>[],
): void {
  const open = rendered.find((topic) => isJsonPath(topic) || typeof parseTemplate(topic)[0] !== 'string');
  if (open !== undefined && topics === undefined)
    throw new InvalidOptionError(option, undefined, `the topics that '${open}' may render, such as ['plant/*']`);
  if (rendered.length === 0 && topics !== undefined && !routes.some(({ sink }) => Object.hasOwn(sink, 'topic')))
    throw new InvalidOptionError(option, topics, 'none without placeholders in a topic');
}
