/** The small values of a stored flip, read strictly. Each throws TypeError, which `flip-codec.ts` catches. */

import { assertEachOnce, parseList, parseText, unexpected } from "../trust/stored-values.ts";

/** Printable or not, it was somebody's claim; of limited length. */
export const textLike: RegExp = /^[\s\S]{0,1024}$/;

/** Of a mesh. */
const workloadsMax = 100_000;

export function parsePorts(value: unknown): readonly number[] {
  return parseList(value, 65_535).map(parsePort);
}

export function parsePort(value: unknown): number {
  const isPort = typeof value === "number" && Number.isInteger(value) && value > 0;
  if (isPort && value <= 65_535) return value;
  throw unexpected("a port");
}

/** `NAMESPACE/NAME`, each once. */
export function parseWorkloads(value: unknown): readonly string[] {
  const names = parseList(value, workloadsMax).map((each) =>
    parseText(each, /^[^/]{1,63}\/[^/]{1,253}$/),
  );
  assertEachOnce(names);
  return names;
}

export function parseNames(value: unknown): readonly string[] {
  return parseList(value, 1_000).map((each) => parseText(each, textLike));
}
