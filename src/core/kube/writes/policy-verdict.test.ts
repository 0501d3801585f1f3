import assert from "node:assert/strict";
import { it } from "node:test";
import type { JudgedPart } from "../guard/admission-decision.ts";
import { verdictOf } from "./policy-verdict.ts";

const part: JudgedPart = { text: "shop/api", isNew: false, kind: "safe", names: [] };

it("a verdict that is SAFE by waivers says who is waived, once", () => {
  const safe = "STRICT would refuse nobody who was seen";
  assert.deepEqual(verdictOf([part], ""), { kind: "SAFE", why: safe });
  const waived = ["legacy/cron", "proxy/shop/api-6"];
  assert.deepEqual(
    verdictOf(
      [
        { ...part, waived },
        { ...part, waived: ["legacy/cron"] },
      ],
      "",
    ),
    {
      kind: "SAFE",
      why: `${safe} but for legacy/cron, proxy/shop/api-6, waived`,
    },
  );
});
