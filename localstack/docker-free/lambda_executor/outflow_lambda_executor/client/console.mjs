import { format } from 'node:util';

const LEVELS = { log: 'INFO', info: 'INFO', debug: 'DEBUG', trace: 'TRACE', warn: 'WARN', error: 'ERROR' };

/** Makes `console` write lines in the function's log format, as Lambda's runtime does. */
export function logTo(requestId) {
  const line = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON' ? jsonLine : textLine;
  for (const [method, level] of Object.entries(LEVELS)) {
    console[method] = (...values) => {
      process.stdout.write(`${line(new Date().toISOString(), requestId(), level, values)}\n`);
    };
  }
}

/** Resolves when all output has been written. */
export function flushed() {
  return Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))),
  );
}

function textLine(time, requestId, level, values) {
  // Each line is a log event. A carriage return keeps a multi-line text in one event.
  return `${time}\t${requestId}\t${level}\t${format(...values).replaceAll('\n', '\r')}`;
}

function jsonLine(timestamp, requestId, level, values) {
  const isObject = values.length === 1 && typeof values[0] === 'object' && !(values[0] instanceof Error);
  return JSON.stringify({ timestamp, level, requestId, message: isObject ? values[0] : format(...values) });
}
