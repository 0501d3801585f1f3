/**
 * SPIFFE IDs and trust domains (SPIFFE-ID 2) as frozen values: whoever holds one knows that it was
 * parsed.
 *
 * Where the standard and its implementations disagree this follows go-spiffe: scheme and trust
 * domain are case-sensitive here although SPIFFE-ID 2.4 compares them without case, because two
 * spellings of one identity are a way around a policy. The byte limits of SPIFFE-ID 2.3, which
 * go-spiffe leaves alone, are enforced. Nothing is ever normalised: what was parsed is what
 * `toString` gives back.
 */

import { PortcullisError } from "../error.ts";

export type SpiffeIdErrorCode =
  | "spiffe-id-empty"
  | "spiffe-id-too-long"
  | "spiffe-id-scheme-invalid"
  | "trust-domain-missing"
  | "trust-domain-too-long"
  | "trust-domain-bad-character"
  | "path-no-leading-slash"
  | "path-trailing-slash"
  | "path-empty-segment"
  | "path-dot-segment"
  | "path-bad-character";

export class SpiffeIdError extends PortcullisError<SpiffeIdErrorCode> {
  override name = "SpiffeIdError";
}

/** SPIFFE-ID 2.3. Every legal character is one byte, so lengths of strings are lengths in bytes. */
const ID_BYTES_MAX = 2048;
const TRUST_DOMAIN_BYTES_MAX = 255;

const SCHEME = "spiffe://";
const TRUST_DOMAIN_CHARACTERS = /^[a-z0-9._-]*$/;
const SEGMENT_CHARACTERS = /^[a-zA-Z0-9._-]*$/;

export class TrustDomain {
  /** The bare name, as in `cluster.local`. */
  readonly name: string;
  #id: SpiffeId | undefined;

  private constructor(name: string) {
    this.name = name;
    Object.freeze(this);
  }

  /**
   * @param name the bare name; a URI is parsed with `SpiffeId.parse(uri).trustDomain`
   * @throws SpiffeIdError
   */
  static parse(name: string): TrustDomain {
    if (name.length > TRUST_DOMAIN_BYTES_MAX) {
      throw new SpiffeIdError(
        "trust-domain-too-long",
        `expected a trust domain of at most ${TRUST_DOMAIN_BYTES_MAX} bytes, got ${name.length}`,
      );
    }
    if (!TRUST_DOMAIN_CHARACTERS.test(name)) {
      throw new SpiffeIdError(
        "trust-domain-bad-character",
        `expected only a-z, 0-9, ".", "-" and "_" in a trust domain, got ${JSON.stringify(name)}`,
      );
    }
    if (name === "") {
      throw new SpiffeIdError("trust-domain-missing", "expected a trust domain, got nothing");
    }
    return new TrustDomain(name);
  }

  /**
   * The ID of the trust domain itself, without a path: the ID of its authorities, never of a
   * workload.
   */
  get id(): SpiffeId {
    return (this.#id ??= SpiffeId.fromPath(this, ""));
  }

  toString(): string {
    return this.name;
  }

  equals(other: TrustDomain): boolean {
    return this.name === other.name;
  }
}

export class SpiffeId {
  readonly trustDomain: TrustDomain;
  /** Empty, or a slash and segments separated by slashes. */
  readonly path: string;
  readonly #uri: string;

  private constructor(trustDomain: TrustDomain, path: string) {
    this.trustDomain = trustDomain;
    this.path = path;
    this.#uri = SCHEME + trustDomain.name + path;
    Object.freeze(this);
  }

  /** @throws SpiffeIdError */
  static parse(uri: string): SpiffeId {
    if (uri === "") {
      throw new SpiffeIdError("spiffe-id-empty", "expected a SPIFFE ID, got an empty string");
    }
    assertIdLength(uri.length);
    if (!uri.startsWith(SCHEME)) {
      throw new SpiffeIdError(
        "spiffe-id-scheme-invalid",
        `expected a SPIFFE ID that starts with ${SCHEME}, got ${JSON.stringify(uri)}`,
      );
    }
    const slash = uri.indexOf("/", SCHEME.length);
    const end = slash === -1 ? uri.length : slash;
    return SpiffeId.fromPath(TrustDomain.parse(uri.slice(SCHEME.length, end)), uri.slice(end));
  }

  /**
   * @param path empty for the ID of the trust domain itself, otherwise with its leading slash
   * @throws SpiffeIdError
   */
  static fromPath(trustDomain: TrustDomain, path: string): SpiffeId {
    assertIdLength(SCHEME.length + trustDomain.name.length + path.length);
    assertPath(path);
    return new SpiffeId(trustDomain, path);
  }

  /**
   * `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT`, the layout that Istio gave to
   * Kubernetes workloads.
   *
   * @throws SpiffeIdError a name that holds a slash, is empty or is a dot segment would name
   * somebody else
   */
  static forServiceAccount(
    trustDomain: TrustDomain,
    namespace: string,
    serviceAccount: string,
  ): SpiffeId {
    assertSegment(namespace);
    assertSegment(serviceAccount);
    return SpiffeId.fromPath(trustDomain, `/ns/${namespace}/sa/${serviceAccount}`);
  }

  toString(): string {
    return this.#uri;
  }

  equals(other: SpiffeId): boolean {
    return this.#uri === other.#uri;
  }
}

function assertIdLength(length: number): void {
  if (length > ID_BYTES_MAX) {
    throw new SpiffeIdError(
      "spiffe-id-too-long",
      `expected a SPIFFE ID of at most ${ID_BYTES_MAX} bytes, got ${length}`,
    );
  }
}

function assertPath(path: string): void {
  const [beforeFirst, ...segments] = path.split("/");
  if (beforeFirst !== "") {
    throw new SpiffeIdError(
      "path-no-leading-slash",
      `expected a path with a leading slash, got ${JSON.stringify(path)}`,
    );
  }
  for (const [index, segment] of segments.entries()) {
    if (segment === "" && index === segments.length - 1) {
      throw new SpiffeIdError(
        "path-trailing-slash",
        `expected a path without a trailing slash, got ${JSON.stringify(path)}`,
      );
    }
    assertSegment(segment);
  }
}

function assertSegment(segment: string): void {
  if (!SEGMENT_CHARACTERS.test(segment)) {
    throw new SpiffeIdError(
      "path-bad-character",
      `expected only letters, digits, ".", "-" and "_" in a path, got ${JSON.stringify(segment)}`,
    );
  }
  if (segment === "") {
    throw new SpiffeIdError("path-empty-segment", "expected a path segment, got an empty one");
  }
  if (segment === "." || segment === "..") {
    throw new SpiffeIdError("path-dot-segment", `expected no dot segment, got "${segment}"`);
  }
}
