/** The event with which the control function and `outflow test-connectivity` invoke a worker's function. */
export interface ConnectivityRequest {
  readonly outflow: 'testConnectivity';
}

/** The response to a {@link ConnectivityRequest}. */
export interface Connectivity {
  readonly ok: boolean;
  /** What the test found, or why the sink cannot be reached or used. */
  readonly detail: string;
}

/**
 * The response to an SQS event with `outflow: 'probe'`: a batch response, and why the task still cannot continue. The event holds one
 * message and follows a connectivity test that passed, so a stop error is that message's own failure.
 */
export interface ProbeResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
  readonly halt?: string;
}
