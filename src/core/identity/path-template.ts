/**
 * The path of a SPIFFE ID with places for what a caller has proved: `/ci/{repository_owner}/{ref}`.
 * A place is a whole segment and takes exactly one segment: two values in one segment could be cut
 * in two ways, and a value with a slash would choose its own depth. The first segment is literal,
 * so that no value reaches `/ns` or `/portcullis`.
 */

import { SpiffeId, SpiffeIdError, type TrustDomain } from "../spiffe/id.ts";
import { assertAssignable, IdentityPathError, isKubernetes } from "./assignable-path.ts";
import { AuthnError, quoted } from "./authn-error.ts";

export interface PathTemplate {
  /** As the operator wrote it. */
  readonly text: string;
  readonly segments: readonly TemplateSegment[];
}

type TemplateSegment =
  | { readonly kind: "literal"; readonly text: string }
  /** Stands for the value of this name. */
  | { readonly kind: "value"; readonly name: string };

/** @throws IdentityPathError */
export function parsePathTemplate(text: string): PathTemplate {
  const [beforeFirst, ...parts] = text.split("/");
  if (beforeFirst !== "" || parts.length === 0) throw malformed("a path with a leading /", text);
  const segments = Object.freeze(parts.map(parseSegment));
  if (segments[0]?.kind !== "literal") throw malformed("a first segment without {", text);
  if (segments.every(({ kind }) => kind === "literal") || !isKubernetes(parts)) {
    assertAssignable(parts);
    return Object.freeze({ text, segments });
  }
  throw new IdentityPathError(
    "identity-path-not-kubernetes",
    `expected no {value} under /ns, got ${quoted(text)}`,
    { hint: "a caller's own word must never choose a namespace: write one rule for each identity" },
  );
}

/** The names of the values that it needs. */
export function valueNames({ segments }: PathTemplate): readonly string[] {
  return segments.flatMap((segment) => (segment.kind === "value" ? [segment.name] : []));
}

/**
 * @param valueOf what the caller has proved; anything that is not a string fits no template
 * @throws AuthnError `token-identity`
 */
export function expandPathTemplate(
  { segments }: PathTemplate,
  trustDomain: TrustDomain,
  valueOf: (name: string) => unknown,
): SpiffeId {
  const path = segments.map((segment) => {
    if (segment.kind === "literal") return `/${segment.text}`;
    const value = valueOf(segment.name);
    if (typeof value === "string" && isSegment(value)) return `/${value}`;
    const message = `${segment.name}: expected one segment of a SPIFFE path, got ${quoted(value)}`;
    throw new AuthnError("token-identity", message);
  });
  try {
    return SpiffeId.fromPath(trustDomain, path.join(""));
  } catch (cause) {
    if (!(cause instanceof SpiffeIdError)) throw cause;
    throw new AuthnError("token-identity", cause.message, { cause });
  }
}

/** Dotted where it is found in an object: `org.team`. */
export function isValueName(text: string): boolean {
  return VALUE_NAME.test(text);
}

const VALUE_NAME = /^[A-Za-z0-9_:-]+(?:\.[A-Za-z0-9_:-]+)*$/;
/** SPIFFE-ID 2.2. */
const SEGMENT = /^[a-zA-Z0-9._-]+$/;

function isSegment(text: string): boolean {
  return SEGMENT.test(text) && text !== "." && text !== "..";
}

function parseSegment(text: string): TemplateSegment {
  if (isSegment(text)) return Object.freeze({ kind: "literal", text });
  const name = text.startsWith("{") && text.endsWith("}") ? text.slice(1, -1) : "";
  if (isValueName(name)) return Object.freeze({ kind: "value", name });
  throw malformed("segments that are literal or one {value} as a whole", text);
}

function malformed(expected: string, got: string): IdentityPathError {
  const message = `expected ${expected}, got ${quoted(got)}`;
  return new IdentityPathError("identity-path-malformed", message);
}
