/** The function returned, but not what Lambda takes for an answer about a batch: all of the batch fails. */
export class InvalidBatchResponseError extends Error {
  override readonly name = 'InvalidBatchResponseError';
}

/**
 * The message ids a function's answer gives as failed. No answer, or no list in it, means that none failed; anything
 * Lambda cannot read, down to one identifier that is not of this batch, throws.
 */
export function failedIds(response: unknown, batchIds: ReadonlySet<string>): ReadonlySet<string> {
  const failed = new Set<string>();
  const answer = asJson(response);
  if (answer === null) return failed;
  if (typeof answer !== 'object' || Array.isArray(answer)) throw invalid('the answer', answer, 'an object');

  const failures: unknown = Reflect.get(answer, 'batchItemFailures') ?? [];
  if (!Array.isArray(failures)) throw invalid('batchItemFailures', failures, 'a list');
  for (const failure of failures) {
    const id: unknown = failure?.itemIdentifier;
    if (typeof id !== 'string' || !batchIds.has(id)) {
      throw invalid('itemIdentifier', id, 'the messageId of a record of this batch');
    }
    failed.add(id);
  }
  return failed;
}

/** What is left of the answer after its way out of the function. */
function asJson(response: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(response) ?? 'null');
  } catch (cause) {
    throw new InvalidBatchResponseError('The answer is not JSON', { cause });
  }
}

function invalid(what: string, given: unknown, wanted: string): InvalidBatchResponseError {
  return new InvalidBatchResponseError(`${what} is ${JSON.stringify(given)}; expected ${wanted}`);
}
