/** Tokens as texts: whatever is not signed by the issuer is refused, and jose reads every header that we read. */

import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { decodeProtectedHeader } from "jose";
import { claimedIssuer, parseJws, verifyJws } from "../../../src/edge/authn/jws.ts";
import { hasX5c, parseX5cJws } from "../../../src/edge/authn/x5c-jws.ts";
import { JWS_ALGORITHMS } from "../../../src/edge/authn/jws-algorithm.ts";
import { KeySet } from "../../../src/edge/authn/key-set.ts";
import { extractBearer } from "../../../src/edge/authn/bearer.ts";
import { encodeSegment } from "../../support/tokens.ts";
import { p256Key } from "../keys.ts";
import { textOf, valueOrTyped, type FuzzTarget } from "../target.ts";

const { privateKey, publicKey } = p256Key("jws");
const algorithms = new Set(JWS_ALGORITHMS.filter(({ name }) => name === "ES256"));
const key = { keyId: "k1", algorithms, key: publicKey };
const keySet = KeySet.parse(
  JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k1", alg: "ES256" }] }),
);
const claims = {
  iss: "https://issuer",
  sub: "system:serviceaccount:a:b",
  aud: ["istio-ca"],
  exp: 9e9,
};

function token(header: unknown): string {
  const input = `${encodeSegment(header)}.${encodeSegment(claims)}`;
  const signature = sign("sha256", Buffer.from(input), {
    key: privateKey,
    dsaEncoding: "ieee-p1363",
  });
  return `${input}.${signature.toString("base64url")}`;
}

export const jws: FuzzTarget = {
  name: "jws",
  shape: "text",
  dictionary: [
    ".",
    "..",
    "=",
    encodeSegment({ alg: "none" }),
    encodeSegment({ alg: "HS256", kid: "k1" }),
    encodeSegment({ alg: "ES256", kid: "k1", crit: ["b64"], b64: false }),
    encodeSegment({ alg: "ES256", x5c: ["MIIB"] }),
    encodeSegment('{"alg":"ES256","alg":"none"}'),
  ],
  seeds: () => ({
    plain: token({ alg: "ES256", kid: "k1" }),
    typed: token({ alg: "ES256", typ: "JWT", kid: "k1", jku: "https://evil.example" }),
    x5c: token({ alg: "ES256", x5c: ["AAAA"] }),
  }),
  check: (input) => {
    const text = textOf(input);
    claimedIssuer(text);
    valueOrTyped(() => extractBearer([text]));
    assert.equal(valueOrTyped(() => parseX5cJws(text)) === undefined || hasX5c(text), true);
    const parsed = valueOrTyped(() => parseJws(text));
    if (parsed === undefined) return false;
    assert.equal(decodeProtectedHeader(text).alg, parsed.algorithm.name);
    keySet.find(parsed.keyId, parsed.algorithm);
    const isVerified = valueOrTyped(() => verifyJws(parsed, key) ?? true) ?? false;
    if (isVerified) assert.deepEqual(JSON.parse(parsed.payload.toString()), claims);
    return isVerified;
  },
};
