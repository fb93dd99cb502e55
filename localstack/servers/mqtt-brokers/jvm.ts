import { jdk } from '../java.mjs';
import type { Command, Layout } from './layout.ts';

export interface JavaProgram {
  readonly classPath: string;
  /** The main class, then its arguments. */
  readonly main: readonly string[];
  readonly heapMb: number;
  /** System properties. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** The command of a Java program that starts soon rather than running fast. */
export function java({ folder }: Layout, { classPath, main, heapMb, properties = {} }: JavaProgram): Command {
  return {
    program: jdk('java'),
    args: [
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-XX:-UsePerfData',
      `-Xmx${heapMb}m`,
      `-Duser.home=${folder}`,
      `-Djava.io.tmpdir=${folder}`,
      ...Object.entries(properties).map(([key, value]) => `-D${key}=${value}`),
      '-cp',
      classPath,
      ...main,
    ],
  };
}
