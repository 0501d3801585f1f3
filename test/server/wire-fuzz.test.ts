/**
 * Damaged CSRs and tokens over the wire, by a seed: always a status of the table, and whoever gets
 * a certificate gets his own, for his own key.
 */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { mint, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { makeCsr } from "../support/csr.ts";
import { mutate, seededRandom, type Random } from "../support/mutate.ts";
import { CODE, csrPem, dialWire, frame, sign, WIRE_CSR, WIRE_KEY } from "./grpc-wire.ts";
import {
  CREATE_CERTIFICATE,
  decodeReply,
  encodeRequest,
  type SigningReply,
  type WireConnection,
} from "./grpc-wire.ts";

const seed = 20_261_124;
const cases = 700;
const inFlight = 20;
const CART = "URI:spiffe://cluster.local/ns/shop/sa/cart";

function assertOwn({ certChain }: SigningReply): void {
  const certificate = new X509Certificate(certChain[0] ?? "");
  assert.equal(certificate.subjectAltName, CART);
  const spki = certificate.publicKey.export({ format: "der", type: "spki" });
  assert.deepEqual(Uint8Array.from(spki), WIRE_KEY.spki);
}

function mutateText(text: string, random: Random): string {
  const at = random(text.length);
  const alphabet = 'AZaz09-_.= \t:{}"/\\+';
  const letter = alphabet[random(alphabet.length)] ?? "";
  const other = random(text.length);
  switch (random(5)) {
    case 0:
      return text.slice(0, at) + letter + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + random(8));
    case 2:
      return text.slice(0, at) + letter.repeat(1 + random(3)) + text.slice(at);
    case 3:
      return text.slice(0, at) + text.slice(other) + text.slice(at);
    default:
      return text.slice(0, at);
  }
}

/** The claims are damaged and signed again: what gets past the signature. */
function mutateClaims(random: Random): string {
  const claims = Object.entries({
    sub: "system:serviceaccount:shop:cart",
    aud: ["istio-ca"],
    exp: Math.floor(Date.now() / 1_000) + 600,
    "kubernetes.io": { namespace: "shop", serviceaccount: { name: "cart", uid: "u" } },
  });
  const [name, value] = claims[random(claims.length)] ?? ["sub", ""];
  const odd = [null, 0, -1, 1e300, "", "x", [], {}, ["x"], [null], true, "\u0000", { name: 1 }];
  const damaged =
    random(2) === 0 ? odd[random(odd.length)] : mutateText(JSON.stringify(value), random);
  return mint({ [name]: damaged });
}

describe(`damage by seed ${seed}`, () => {
  let it: TestControlPlane;
  let connection: WireConnection;
  before(async () => {
    it = await startControlPlane({ flags: { "log-level": "warn", "identity-rate": "none" } });
    connection = dialWire(it);
  });
  after(async () => {
    await connection[Symbol.asyncDispose]();
    await it[Symbol.asyncDispose]();
  });

  /** @returns how many were signed */
  async function storm(
    random: Random,
    send: (random: Random) => Promise<SigningReply>,
    allowed: readonly number[],
  ): Promise<number> {
    let signed = 0;
    for (let sent = 0; sent < cases; sent += inFlight) {
      const some = Array.from({ length: inFlight }, () => send(random));
      for (const reply of await Promise.all(some)) {
        assert.ok(allowed.includes(reply.code), `${reply.code} ${reply.message}`);
        if (reply.code !== CODE.ok) continue;
        signed++;
        assertOwn(reply);
      }
    }
    assert.equal((await sign(connection)).code, CODE.ok);
    return signed;
  }

  test("of CSRs is refused, or does not matter", async () => {
    const der = makeCsr(WIRE_KEY);
    const send = (random: Random) => {
      const csr = random(3) > 0 ? csrPem(mutate(der, random)) : mutateText(WIRE_CSR, random);
      return sign(connection, { message: { csr } });
    };
    const signed = await storm(seededRandom(seed), send, [CODE.ok, CODE.invalidArgument]);
    assert.ok(signed < cases / 4, String(signed));
  });

  test("of tokens is never believed", async () => {
    const send = (random: Random) => {
      const damaged = mutateText(mint(), random).replace(/^\s+|\s+$/g, "");
      return sign(connection, { authorization: `Bearer ${damaged}` });
    };
    const codes = [CODE.unauthenticated, CODE.ok];
    assert.ok((await storm(seededRandom(seed + 1), send, codes)) <= cases / 100);
  });

  test("of claims under a good signature gives nobody another's name", async () => {
    const send = (random: Random) =>
      sign(connection, { authorization: `Bearer ${mutateClaims(random)}` });
    await storm(seededRandom(seed + 2), send, [CODE.unauthenticated, CODE.ok]);
  });

  test("of whole messages ends with a status", async () => {
    const message = encodeRequest({ csr: WIRE_CSR, metadata: { ClusterID: "a" } });
    const send = async (random: Random): Promise<SigningReply> => {
      const body = frame(mutate(message, random));
      const authorization = `Bearer ${mint()}`;
      const reply = await connection.call(CREATE_CERTIFICATE, body, { authorization });
      return { ...reply, certChain: decodeReply(reply) };
    };
    // A message that is no protobuf is gRPC's to refuse, and INTERNAL is how it does.
    const codes = [CODE.ok, CODE.invalidArgument, CODE.internal];
    await storm(seededRandom(seed + 3), send, codes);
    const internal = it.log.filter(({ reason }) => reason === "internal");
    assert.deepEqual(internal, []);
  });
});
