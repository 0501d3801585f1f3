/** What older versions stored, as this one would have: one step for each version, in their order. */

import { DenyList } from "../deny/deny-list.ts";
import { isJsonObject, type JsonObject } from "../identity/json-object.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { subjectKeyIdentifier } from "../x509/signer.ts";
import { base64, parseBytes, parseList, unexpected } from "./stored-values.ts";

/** A document of version 4, or of one that nobody knows. @throws TypeError, and what a certificate that is none throws */
export function upgradeStored(stored: JsonObject): JsonObject {
  return upgradeFromThree(upgradeFromTwo(upgradeFromOne(stored)));
}

/** Version 1 had neither JWT authorities nor an operator's own roots and keys. */
function upgradeFromOne(stored: JsonObject): JsonObject {
  if (stored["version"] !== 1) return stored;
  const authorities = authoritiesOf(stored).map((authority) => ({ ...authority, key: "store" }));
  return { ...stored, version: 2, authorities, jwtAuthorities: [], otherRoots: [] };
}

/** Version 2 knew no deny list: nobody was denied. */
function upgradeFromTwo(stored: JsonObject): JsonObject {
  if (stored["version"] !== 2) return stored;
  return { ...stored, version: 3, denyDigest: base64(DenyList.empty.digest()) };
}

/**
 * Version 3 could not rotate roots. It could change intermediates, and did not remember the keys of those before: what they
 * signed is an unknown signer's, and that counts as anybody's.
 */
function upgradeFromThree(stored: JsonObject): JsonObject {
  if (stored["version"] !== 3) return stored;
  const authorities = authoritiesOf(stored).map((authority) => ({
    ...authority,
    sinceMs: 0,
    signerIds: [signerIdOf(authority)],
    auto: false,
  }));
  // Its roots may have changed with its last sequence.
  return {
    ...stored,
    version: 4,
    authorities,
    retired: [],
    rootsSequence: stored["bundleSequence"],
  };
}

function authoritiesOf(stored: JsonObject): readonly JsonObject[] {
  return parseList(stored["authorities"]).map((authority) => {
    if (!isJsonObject(authority)) throw unexpected("an authority");
    return authority;
  });
}

/** As the log has it: of the key, whatever identifier an operator's certificate has. */
function signerIdOf({ chain, root }: JsonObject): string {
  const { spki } = parseCertificate(parseBytes(parseList(chain)[0] ?? root));
  return Buffer.from(subjectKeyIdentifier(spki)).toString("hex");
}
