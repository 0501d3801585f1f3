/**
 * Which roots an agent verifies its control plane with. The file that the operator gave it is for the first contact: where the
 * server's certificate hangs on the mesh's own roots, the bundle follows each rotation, and a stale file must not bring back a
 * root that was taken away. Behind a proxy that ends TLS the file is all there is.
 */

import { hasBytes } from "../../core/bytes.ts";

/** How the server was verified when a certificate came. Kept with the set. */
export interface ServerAnchor {
  /** Whether a root of the mesh's bundle was above the server's certificate. */
  readonly isMesh: boolean;
  /** Of the file as it was when it, too, had that root; see `ServerFile`. */
  readonly fileDigest: string;
}

/** The file as it is now. */
export interface ServerFile {
  /** DER; empty where they cannot be read, which OpenSSL may think of otherwise. */
  readonly roots: readonly Uint8Array[];
  /** The same for the same roots, however they are written. */
  readonly digest: string;
}

export type ServerTrust = "file" | "bundle" | "both";

/**
 * @param anchor undefined before the first certificate, and in what an older agent has written
 * @param fileDigest undefined where there is no file that can be read
 * @param isValid whether the agent's own certificate is: when it has expired, a whole rotation may have passed by
 */
export function decideServerTrust(
  anchor: ServerAnchor | undefined,
  fileDigest: string | undefined,
  isValid: boolean,
): ServerTrust {
  if (anchor === undefined || !anchor.isMesh) return "file";
  if (fileDigest === undefined) return "bundle";
  // What the operator has changed since is his word, and newer than what the agent knows.
  return isValid && fileDigest === anchor.fileDigest ? "bundle" : "both";
}

/**
 * When a certificate has come.
 *
 * @param root that the server's certificate was verified by
 * @param bundle the roots that are held from now on
 * @param trusted the roots that were held when the server was dialled: the one above its certificate may have been taken away
 * since
 */
export function decideAnchor(
  held: ServerAnchor | undefined,
  root: Uint8Array,
  bundle: readonly Uint8Array[],
  { roots, digest }: ServerFile,
  trusted: readonly Uint8Array[] = [],
): ServerAnchor {
  const isMesh = hasBytes(bundle, root) || hasBytes(trusted, root);
  if (!isMesh) return { isMesh, fileDigest: digest };
  // A file that was changed and does not know this root is still to count: it may be for a server that is to come.
  if (held?.isMesh === true && !hasBytes(roots, root)) return held;
  return { isMesh, fileDigest: digest };
}

/**
 * When the server was dialled: what a first contact could not know, or a certificate that came while its root was taken away.
 *
 * @param bundle the roots that are held
 * @returns undefined where nothing is to be changed
 */
export function decideDialledAnchor(
  held: ServerAnchor | undefined,
  root: Uint8Array,
  bundle: readonly Uint8Array[],
  { roots, digest }: ServerFile,
): ServerAnchor | undefined {
  if (held?.isMesh === true || !hasBytes(bundle, root)) return undefined;
  // The file has changed since the dial: the next one will tell.
  if (!hasBytes(roots, root)) return undefined;
  return { isMesh: true, fileDigest: digest };
}

export interface OrphanQuestion {
  readonly anchor: ServerAnchor | undefined;
  readonly file: ServerFile;
  /** Of the file that the held certificate came under, in this life of the agent. */
  readonly askedDigest: string | undefined;
  readonly bundle: readonly Uint8Array[];
  /** Whether a root of the file is above the certificate; asked last, as it costs signatures. */
  readonly isOfFile: () => boolean;
}

/**
 * Whether the server was made anew with another root, which believes nothing that the old one has signed. The operator says so
 * by a file with roots that the bundle does not have; a rotation leaves the file as it was, or brings a root that the bundle has.
 */
export function isOrphaned(question: OrphanQuestion): boolean {
  const { anchor, file, askedDigest, bundle, isOfFile } = question;
  // Once for each file: what was signed under it and hangs on another root will do so the next time, too.
  if (file.digest === askedDigest) return false;
  if (file.digest === anchor?.fileDigest) return false;
  return !file.roots.some((root) => hasBytes(bundle, root)) && !isOfFile();
}
