/** The signer of a key, wherever that is. */

import { parseCertificate } from "../../core/x509/certificate.ts";
import { softwareSigner, type Signer } from "../../core/x509/signer.ts";
import type { KeySource } from "./signing-protocol.ts";

/**
 * @param certificate the authority's, DER: the key must be its
 * @throws SignerError, Pkcs11Error
 */
export async function openSigner(source: KeySource, certificate: Uint8Array): Promise<Signer> {
  const { spki } = parseCertificate(certificate);
  if (source.kind === "software") return softwareSigner(source.key, spki);
  // Loaded where it is used: most servers have no HSM, and the library is optional.
  const { openPkcs11Signer } = await import("../../edge/pkcs11/pkcs11-signer.ts");
  return openPkcs11Signer(source.uri, spki);
}

/** What an HSM's signer holds open. */
export function closeSigner(signer: Signer): void {
  if (Symbol.dispose in signer) (signer as Signer & Disposable)[Symbol.dispose]();
}
