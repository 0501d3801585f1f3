import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { CaCallError } from "../../edge/rpc/ca-status.ts";
import { buildIssuance, type IssuanceOptions } from "./issuance.ts";
import { SigningTurns } from "./signing/signing-turns.ts";

/** What has come as far as the authority would have been signed. */
class Signed extends Error {
  readonly code = "signed";
}

class Rig {
  readonly turns = new SigningTurns();
  isSettled = true;
  isTrustCurrent = true;
  readonly #issuance = buildIssuance(this.#options());

  serve(): Promise<string> {
    return this.#issuance.issueServing(["ca.example"]).then(() => "served", codeOf);
  }

  ask(): Promise<string> {
    return new Promise((resolve) => {
      this.#issuance.queue.submit({
        requestId: "r",
        agent: "",
        address: "test",
        authenticate: () => ({
          id: SpiffeId.parse("spiffe://cluster.local/ns/shop/sa/cart"),
          expiresAtMs: Infinity,
          evidence: { method: "jwt", issuer: "https://issuer" },
        }),
        csrPem: "",
        requestedTtlSeconds: 0n,
        deadlineMs: Infinity,
        isCancelled: () => false,
        onIssued: () => resolve("issued"),
        onRefused: (error) => resolve(codeOf(error)),
      });
    });
  }

  #options(): IssuanceOptions {
    const assertTrustCurrent = (): void => {
      if (!this.isTrustCurrent) throw new CaCallError("signer-unavailable", "scripted");
    };
    const options: Partial<Record<keyof IssuanceOptions, unknown>> = {
      trust: () => {
        throw new Signed();
      },
      signing: { isAvailable: true },
      turns: this.turns,
      transparency: { writer: { state: { isDead: false } } },
      time: { assertGood: () => {} },
      limits: () => ({ callsInFlight: 8, queueLength: 100 }),
      assertMaySign: () => {
        if (!this.isSettled) throw new CaCallError("signer-unavailable", "scripted");
        assertTrustCurrent();
      },
      assertTrustCurrent,
      assertAdmitted: () => {},
      nowMs: () => 0,
    };
    return options as unknown as IssuanceOptions;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

describe("while the trust may not be current", () => {
  it("no certificate is made for the server itself", async () => {
    const rig = new Rig();
    rig.isTrustCurrent = false;
    assert.equal(await rig.serve(), "signer-unavailable");
  });

  it("none is made for whoever was let in before, and has waited for its turn", async () => {
    const rig = new Rig();
    const change = Promise.withResolvers<void>();
    const changed = rig.turns.alone(() => change.promise);
    const asked = rig.ask();
    await turn();
    await turn();
    rig.isTrustCurrent = false;
    change.resolve();
    await changed;
    assert.equal(await asked, "signer-unavailable");
  });
});

it("makes a restored server a certificate of its own: agents have to reach it to say what was lost", async () => {
  const rig = new Rig();
  rig.isSettled = false;
  assert.equal(await rig.serve(), "signed");
  assert.equal(await rig.ask(), "signer-unavailable");
});

it("signs for both otherwise", async () => {
  const rig = new Rig();
  assert.deepEqual([await rig.serve(), await rig.ask()], ["signed", "signed"]);
});
