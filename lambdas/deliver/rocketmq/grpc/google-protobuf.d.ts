// The package has no types of its own.
declare module 'google-protobuf/google/protobuf/timestamp_pb.js' {
  const module: { readonly Timestamp: { fromDate(date: Date): object } };
  export default module;
}
