import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { initialTrustState } from "../../core/trust/trust-state.ts";
import { TrustDomain } from "../../core/spiffe/id.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { interceptDurable } from "./durable.ts";
import { Store } from "./store.ts";

const nowMs = 1_795_521_600_000;

/** A key, and an octet string that is in no encoding of anything else. */
function newKey(id: string) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { d = "" } = privateKey.export({ format: "jwk" });
  const privateKeyPkcs8 = new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" }));
  return { key: { id, privateKeyPkcs8 }, secret: Buffer.from(d, "base64url") };
}

const holds = (directory: string, secret: Buffer): boolean =>
  readdirSync(directory).some((name) => readFileSync(join(directory, name)).includes(secret));

const state = initialTrustState({
  trustDomain: TrustDomain.parse("cluster.local"),
  authority: {
    id: "ab",
    chain: [],
    root: Uint8Array.of(1),
    key: "store",
    auto: false,
  },
  nowMs,
});
const next = { state: { ...state, epoch: 2 }, keys: [], destroyed: ["ab"], nowMs };

afterEach(() => interceptDurable(undefined));

describe("a key that is destroyed", () => {
  it("is in no file any more while the store is open, and goes with the trust state or not at all", async () => {
    using directory = temporaryDirectory();
    using store = await Store.open(directory.path, "server");
    const { key, secret } = newKey("ab");
    store.initialize({ state, keys: [key], nowMs });
    assert.ok(holds(directory.path, secret));
    const other = { ...next, state: { ...state, epoch: 3 } };
    assert.throws(() => store.replaceTrustState(other), { code: "store-epoch" });
    assert.ok(store.findKey("ab") !== undefined);
    store.replaceTrustState(next);
    assert.equal(store.findKey("ab"), undefined);
    assert.ok(!holds(directory.path, secret));
  });

  it("is overwritten later where it cannot be at once, at the latest by the next start", async () => {
    for (const isRestarted of [false, true]) {
      using directory = temporaryDirectory();
      const { key, secret } = newKey("ab");
      {
        using store = await Store.open(directory.path, "server");
        store.initialize({ state, keys: [key], nowMs });
        interceptDurable((name, write) => {
          if (name === "keys-scrub") throw new Error("database or disk is full");
          return write();
        });
        store.replaceTrustState(next);
        assert.equal(store.loadTrustState()?.epoch, 2);
        assert.ok(holds(directory.path, secret));
        store.scrub();
        interceptDurable(undefined);
        if (!isRestarted) {
          store.scrub();
          assert.ok(!holds(directory.path, secret));
        }
      }
      using _ = await Store.open(directory.path, "server");
      assert.ok(!holds(directory.path, secret));
    }
  });
});
