/** A data directory of a version that could not rotate, on an operator's CA whose certificate names its key otherwise. */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, it } from "node:test";
import { openLog } from "../../src/app/server/log/open-log.ts";
import { isJsonObject, type JsonObject } from "../../src/core/identity/json-object.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { keyIdOf } from "../../src/core/x509/signer.ts";
import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { Store } from "../../src/edge/store/store.ts";
import { eventually, mint, startControlPlane } from "../support/control-plane.ts";
import { addCertificates } from "../support/log-store.ts";
import { OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { dialWire, sign } from "./grpc-wire.ts";
import * as rig from "./rotation-rig.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
const root = pki.root("root");
const named = "0a0b0c0d0e";
const odd = pki.under(root, "odd", { extensions: { subjectKeyIdentifier: named } });

/** As version 3 stored it. */
function storeAsThree(dataDir: string): void {
  using database = new DatabaseSync(join(dataDir, "portcullis.db"));
  const row = database.prepare("SELECT document FROM trust_state").get();
  const stored: unknown = JSON.parse(String(row?.["document"]));
  assert.ok(isJsonObject(stored) && Array.isArray(stored["authorities"]));
  const { retired: _, rootsSequence: __, ...rest } = stored;
  const authorities = stored["authorities"].map(({ state, key, chain, root }: JsonObject) => {
    return { id: named, state, key, chain, root };
  });
  const document = JSON.stringify({ ...rest, version: 3, authorities });
  database.prepare("UPDATE trust_state SET document = ?").run(document);
}

/** Intents that name neither a root nor an agent. */
async function logAsThree(dataDir: string): Promise<void> {
  using store = await Store.open(dataDir, "server");
  const nowMs = Math.floor(Date.now() / 1_000) * 1_000;
  const { log } = await openLog(store, dataDir, TrustDomain.parse("cluster.local"), nowMs);
  await using _ = log;
  await addCertificates(log, 1, 2, nowMs);
}

it("an operator's CA of version 3 is known by its key, signs on, and nothing that it signed is forgotten", async () => {
  using data = temporaryDirectory();
  const caDir = pki.directory({
    "ca-cert.pem": odd.certPem,
    "ca-key.pem": odd.keyPem,
    "root-cert.pem": root.certPem,
  });
  const flags = { "data-dir": data.path, "ca-dir": caDir };
  let epoch = 0;
  {
    await using it = await startControlPlane({ flags });
    ({ epoch } = it.controlPlane.trust.state);
  }
  storeAsThree(data.path);
  await logAsThree(data.path);
  const id = keyIdOf(parseCertificate(odd.der).spki);
  for (const states of [["active"], ["active", "prepared"]]) {
    await using it = await startControlPlane({ flags });
    assert.deepEqual(rig.states(it), states);
    assert.equal(rig.signer(it), id);
    await using connection = dialWire(it);
    const { certChain } = await sign(connection, { authorization: `Bearer ${mint()}` });
    const signer = new X509Certificate(odd.der).publicKey;
    assert.ok(new X509Certificate(certChain[0] ?? "").verify(signer));
    // To its files it is the same CA.
    assert.equal(it.controlPlane.trust.state.epoch, epoch);
    if (states.length === 1) await rig.prepare(it);
    ({ epoch } = it.controlPlane.trust.state);
    await eventually(async () => {
      const { holders } = await rig.status(it, 100);
      const reasons = holders.map(({ named: each }) => each.map(({ reason }) => reason));
      const unknown = reasons.map((all) => all.filter((each) => each === "root-unknown").length);
      return unknown.join() === "2,2";
    });
    const refused = rig.refusedOf(await rig.send(it, { kind: "abort" }));
    assert.equal(refused.code, "holders-left");
  }
});
