/** The function's response is not a valid batch response, so the whole batch fails. */
export class InvalidBatchResponseError extends Error {
  override readonly name = 'InvalidBatchResponseError';
}

/**
 * Reads the failed record ids from a batch response. No response, or none with a list, means that no record failed (AWS
 * Lambda, "Implementing partial batch responses").
 *
 * @throws InvalidBatchResponseError when Lambda would fail the whole batch, as for an id that is not in the batch.
 */
export function failedIds(response: unknown, batchIds: ReadonlySet<string>): ReadonlySet<string> {
  const failed = new Set<string>();
  const parsed = asJson(response);
  if (parsed === null) return failed;
  if (typeof parsed !== 'object' || Array.isArray(parsed)) throw invalid('response', parsed, 'an object');

  const failures: unknown = Reflect.get(parsed, 'batchItemFailures') ?? [];
  if (!Array.isArray(failures)) throw invalid('batchItemFailures', failures, 'a list');
  for (const failure of failures) {
    const id: unknown = failure?.itemIdentifier;
    if (typeof id !== 'string' || !batchIds.has(id))
      throw invalid('itemIdentifier', id, 'the id of a record of the batch');
    failed.add(id);
  }
  return failed;
}

/** The response after its serialization by the Lambda runtime. */
function asJson(response: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(response) ?? 'null');
  } catch (cause) {
    throw new InvalidBatchResponseError('The response cannot be serialized to JSON', { cause });
  }
}

function invalid(field: string, given: unknown, expected: string): InvalidBatchResponseError {
  return new InvalidBatchResponseError(`${field}: got ${JSON.stringify(given)}; expected ${expected}`);
}
