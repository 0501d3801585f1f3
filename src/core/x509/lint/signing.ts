/** How a leaf will be signed: by the algorithm of its issuer's key, in the one encoding that there is of it. */

import { equalBytes } from "../../bytes.ts";
import type { KeyType } from "../public-key.ts";
import type { LeafContext, Lint } from "./lint.ts";

interface Encoding {
  readonly oid: Uint8Array;
  readonly parameters: Uint8Array;
}

const encoding = (oid: string, parameters: string): Encoding => ({
  oid: Buffer.from(oid, "hex"),
  parameters: Buffer.from(parameters, "hex"),
});

/** Octets from the standards: the writer encodes OIDs, the lint does not. */
const ENCODINGS: Readonly<Record<KeyType, Encoding>> = {
  "ec-p256": encoding("06082a8648ce3d040302", ""),
  "ec-p384": encoding("06082a8648ce3d040303", ""),
  rsa: encoding("06092a864886f70d01010b", "0500"),
};

export const signingLints: readonly Lint<LeafContext>[] = [
  {
    name: "signature-algorithm-of-issuer-key",
    source: "RFC 5280 4.1.2.3, RFC 5758 3.2, RFC 4055 5",
    holds: ({ tbs }, { issuer }) => {
      const { oid } = ENCODINGS[issuer.keyType];
      return equalBytes(contentsOf(tbs.signatureAlgorithmDer).subarray(0, oid.length), oid);
    },
  },
  {
    name: "signature-algorithm-parameters",
    source: "RFC 5758 3.2: ECDSA has none; RFC 4055 5: those of RSA are NULL",
    holds: ({ tbs }, { issuer }) => {
      const { oid, parameters } = ENCODINGS[issuer.keyType];
      return equalBytes(contentsOf(tbs.signatureAlgorithmDer).subarray(oid.length), parameters);
    },
  },
];

/** The reader has held the SEQUENCE to its shortest form: two octets before what is in it. */
function contentsOf(algorithmDer: Uint8Array): Uint8Array {
  return algorithmDer.subarray(2);
}
