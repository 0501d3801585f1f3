/** The fields of a policy in `portcullis.mesh.v1`: what is taken, and what is refused. All of it is written by machines. */

import { isIP } from "node:net";
import { MeshMessageError } from "./mesh-fields.ts";

/** Envoy's `UpstreamTlsContext.sni`. */
const sniLengthMax = 255;
const sansMax = 4_096;
const uriLengthMax = 2_048;

/** @throws MeshMessageError */
export function assertPolicy(isSo: boolean, path: string, expected: string): void {
  if (isSo) return;
  throw new MeshMessageError("mesh-policy-malformed", `${path}: expected ${expected}`);
}

/** @throws MeshMessageError */
export function parsePort(port: number, path: string): number {
  assertPolicy(port >= 1 && port <= 65_535, path, `a port of 1 to 65535, got ${port}`);
  return port;
}

/** @throws MeshMessageError */
export function parseIp(text: string, path: string): string {
  assertPolicy(isIP(text) !== 0, path, `an IP address, got ${JSON.stringify(text.slice(0, 64))}`);
  return text;
}

/** @throws MeshMessageError */
export function parseText(text: string, lengthMax: number, path: string): string {
  const { length } = text;
  const expected = `1 to ${lengthMax} characters, got ${length}`;
  assertPolicy(length >= 1 && length <= lengthMax, path, expected);
  return text;
}

/** @throws MeshMessageError */
export function parseSni(sni: string, path: string): string {
  return parseText(sni, sniLengthMax, path);
}

/** @throws MeshMessageError */
export function parseSans(sans: readonly string[], path: string): string[] {
  assertCount(sans, sansMax, path);
  return sans.map((each) => parseText(each, uriLengthMax, path));
}

/** @throws MeshMessageError */
export function assertCount(list: { readonly length: number }, max: number, path: string): void {
  assertPolicy(list.length <= max, path, `at most ${max}, got ${list.length}`);
}

/** @throws MeshMessageError */
export function assertUnlike(keys: readonly (string | number)[], path: string): void {
  assertPolicy(new Set(keys).size === keys.length, path, "each once");
}

/** The names of an enum of ours, and its numbers on the wire; what is unspecified, or of a newer server, is refused. */
export interface WireNames<Name extends string, Wire extends number> {
  readonly encode: (name: Name) => Wire;
  /** @throws MeshMessageError */
  readonly parse: (wire: number, path: string) => Name;
}

export function wireNames<const Name extends string, const Wire extends number>(
  pairs: readonly (readonly [Name, Wire])[],
): WireNames<Name, Wire> {
  const wires = new Map<string, Wire>(pairs);
  const names = new Map<number, Name>(pairs.map(([name, wire]) => [wire, name]));
  return {
    encode: (name) => {
      const wire = wires.get(name);
      if (wire === undefined) throw new TypeError(`${name} has no number`);
      return wire;
    },
    parse: (wire, path) => {
      const name = names.get(wire);
      if (name !== undefined) return name;
      const expected = `${[...wires.keys()].join(", ")}, got ${wire}`;
      throw new MeshMessageError("mesh-policy-malformed", `${path}: expected ${expected}`);
    },
  };
}
