/** The signer of a key, wherever that is. */

import { parseCertificate } from "../../../core/x509/certificate.ts";
import { parsePublicKey } from "../../../core/x509/public-key.ts";
import {
  keyIdOf,
  signatureAlgorithmOf,
  softwareSigner,
  type Signer,
} from "../../../core/x509/signer.ts";
import type { AuthorityParts } from "./signing-protocol.ts";

/**
 * May wait for an HSM: for signing threads.
 * @param how "anew" for a token that was away; ends all HSM sessions of the process
 * @throws SignerError, Pkcs11Error
 */
export async function openSigner(
  { source, chain, root }: AuthorityParts,
  how?: "anew",
): Promise<Signer> {
  const { spki } = parseCertificate(chain[0] ?? root);
  if (source.kind === "software") return softwareSigner(source.key, spki);
  // Loaded where it is used: most servers have no HSM, and the library is optional.
  const { openPkcs11Signer, restartPkcs11 } = await import("../../../edge/pkcs11/pkcs11-signer.ts");
  if (how === "anew") restartPkcs11(source.uri);
  return openPkcs11Signer(source.uri, spki);
}

/** Before threads use a key in an HSM. Asks the HSM for nothing. @throws Pkcs11Error */
export async function holdLibrary({ source }: AuthorityParts): Promise<void> {
  if (source.kind === "software") return;
  const { holdPkcs11 } = await import("../../../edge/pkcs11/pkcs11-signer.ts");
  holdPkcs11(source.uri);
}

/** What an HSM's signer holds open. */
export function closeSigner(signer: Signer): void {
  if (Symbol.dispose in signer) (signer as Signer & Disposable)[Symbol.dispose]();
}

/** That the key can be used and is the certificate's. May wait for an HSM: for threads. @throws SignerError, Pkcs11Error */
export async function proveSigner(parts: AuthorityParts): Promise<void> {
  closeSigner(await openSigner(parts));
}

/** For the main thread, which never waits: of a key in an HSM it has the name and the public half only. */
export function localSigner({ source, chain, root }: AuthorityParts): Signer {
  const { spki } = parseCertificate(chain[0] ?? root);
  if (source.kind === "software") return softwareSigner(source.key, spki);
  const publicKey = parsePublicKey(spki);
  return Object.freeze({
    id: keyIdOf(spki),
    publicKey,
    algorithm: signatureAlgorithmOf(publicKey),
    sign: () => {
      throw new TypeError("only a signing thread may use the key of an HSM");
    },
  });
}
