/** Importing this module lets `compileJsonPath` compile every path at once, without `loadExpressions`. */
import { useQueries } from './jsonpath.ts';
import { compileQuery } from './query.ts';

useQueries(compileQuery);
