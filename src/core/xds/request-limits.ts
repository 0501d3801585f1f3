/** What a client may ask for on one stream, and how much of it. */

/** The client broke the protocol or a limit: its stream ends with this gRPC status. */
export interface EndOfStream {
  readonly kind: "end";
  readonly status: "invalid-argument" | "resource-exhausted";
  readonly message: string;
}

/** On a stream: an Envoy has a handful of secrets, and as many endpoints' names as clusters. */
export const secretNamesMax = 64;
export const endpointNamesMax = 8_192;

/** A SPIFFE ID has at most 2048 bytes (SPIFFE-ID 2.3); Istio's file names carry two paths. */
const nameLengthMax = 4_096;

/** A service for one type implies it: DiscoveryRequest.type_url may then be empty. */
export function refuseType(expected: string, typeUrl: string): EndOfStream | undefined {
  if (typeUrl === "" || typeUrl === expected) return undefined;
  const got = JSON.stringify(typeUrl.slice(0, 200));
  const message = `expected type_url "${expected}", got ${got}`;
  return { kind: "end", status: "invalid-argument", message };
}

export function refuseNames(
  names: ReadonlySet<string> | ReadonlyMap<string, unknown>,
  namesMax: number,
): EndOfStream | undefined {
  if (names.size > namesMax) return tooManyNames(names.size, namesMax);
  for (const name of names.keys()) {
    if (name.length <= nameLengthMax) continue;
    const message = `expected resource names of at most ${nameLengthMax} characters`;
    return { kind: "end", status: "invalid-argument", message };
  }
  return undefined;
}

export function tooManyNames(count: number, namesMax: number): EndOfStream {
  const message = `expected at most ${namesMax} resource names on a stream, got ${count}`;
  return { kind: "end", status: "resource-exhausted", message };
}
