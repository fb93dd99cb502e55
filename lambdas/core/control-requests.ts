/** What the control function and `outflow test-connectivity` ask of a worker's function. */
export interface ConnectivityRequest {
  readonly outflow: 'testConnectivity';
}

/** The answer to {@link ConnectivityRequest}. */
export interface Connectivity {
  readonly ok: boolean;
  /** What was found, or why the sink cannot be reached or used. */
  readonly detail: string;
}

/** The response to an SQS event with `outflow: 'probe'`: a batch response, and why the task still cannot go on. */
export interface ProbeResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
  readonly halt?: string;
}
