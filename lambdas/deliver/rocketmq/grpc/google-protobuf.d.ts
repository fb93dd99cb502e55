// The package has no types.
declare module 'google-protobuf/google/protobuf/timestamp_pb.js' {
  const module: { readonly Timestamp: { fromDate(date: Date): object } };
  export default module;
}
declare module 'google-protobuf/google/protobuf/duration_pb.js' {
  interface Duration {
    setSeconds(seconds: number): Duration;
  }
  const module: { readonly Duration: new () => Duration };
  export default module;
}
