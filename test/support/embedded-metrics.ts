import { expect } from 'vitest';

/** The metrics of a log line, as CloudWatch extracts them (Amazon CloudWatch, "Specification: Embedded metric format"). */
export interface EmbeddedMetrics {
  readonly namespace: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, number>>;
}

/** Extracts the metrics of a log line; undefined for a line without any. The line is checked against the specification. */
export function embeddedMetrics(line: string): EmbeddedMetrics | undefined {
  const fields = JSON.parse(line);
  if (fields._aws === undefined) return undefined;
  expect(fields._aws.Timestamp).toEqual(expect.any(Number));
  expect(fields._aws.CloudWatchMetrics).toHaveLength(1);
  const [{ Namespace, Dimensions, Metrics }] = fields._aws.CloudWatchMetrics;
  expect(Dimensions).toHaveLength(1);
  for (const { Name, Unit } of Metrics) expect([Name, Unit, fields[Name]]).toEqual([Name, 'Count', expect.any(Number)]);
  for (const name of Dimensions[0]) expect(fields[name], name).toEqual(expect.any(String));
  return {
    namespace: Namespace,
    dimensions: Object.fromEntries(Dimensions[0].map((name: string) => [name, fields[name]])),
    values: Object.fromEntries(Metrics.map(({ Name }: { Name: string }) => [Name, fields[Name]])),
  };
}
