import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const EXTENSIONS = ['.js', '.mjs', '.cjs'];

/** Loads the function of a handler name such as `folder/index.handler`. */
export async function loadHandler(root, name) {
  const [module, ...path] = basename(name).split('.');
  const base = join(root, dirname(name), module);
  const file = EXTENSIONS.map((extension) => base + extension).find(existsSync);
  if (file === undefined) throw named('Runtime.ImportModuleError', `Cannot find module '${module}' in ${root}`);
  const exported = await import(pathToFileURL(file).href);
  const walk = (from) => path.reduce((value, key) => value?.[key], from);
  const handler = walk(exported) ?? walk(exported.default);
  if (typeof handler !== 'function')
    throw named('Runtime.HandlerNotFound', `${name} is ${typeof handler}; expected an exported function`);
  return handler;
}

function named(name, message) {
  return Object.assign(new Error(message), { name });
}
