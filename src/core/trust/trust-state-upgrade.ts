/** What older versions stored, as this one would have: one step for each version, in their order. */

import { DenyList } from "../deny/deny-list.ts";
import { isJsonObject, type JsonObject } from "../identity/json-object.ts";
import { signingKeyId } from "./authority-keys.ts";
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

/** Version 3 could not rotate roots, and named an authority as its certificate names the key. */
function upgradeFromThree(stored: JsonObject): JsonObject {
  if (stored["version"] !== 3) return stored;
  const authorities = authoritiesOf(stored).map((authority) => ({
    ...authority,
    id: idOf(authority),
    sinceMs: 0,
    auto: false,
    formerKeyIds: [],
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

/** Whatever identifier an operator's certificate has. */
function idOf({ chain, root }: JsonObject): string {
  return signingKeyId({ chain: parseList(chain).map(parseBytes), root: parseBytes(root) });
}
