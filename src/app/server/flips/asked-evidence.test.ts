import assert from "node:assert/strict";
import { it } from "node:test";
import type { StoredMember } from "../../../edge/evidence/evidence-question.ts";
import { isAskedOf } from "./asked-evidence.ts";

const labelled = (key: string, app: string, now?: string): StoredMember => ({
  key,
  proxy: "p",
  spiffeId: "spiffe://td/ns/shop/sa/api",
  name: "shop/api-a",
  labels: new Map([["app", app]]),
  ...(now !== undefined && { labelsNow: new Map([["app", now]]) }),
  bornMs: 0,
  goneMs: 1,
});

it("what an earlier life of a proxy saw is asked for by what it was, and by what it is now", () => {
  const members = [
    labelled("into", "web", "api"),
    labelled("out of", "api", "web"),
    labelled("stays", "api"),
    labelled("other", "web"),
  ];
  const isAsked = isAskedOf(members, {
    isAsked: (labels, port) => labels.get("app") === "api" && port === 80,
    isMember: () => true,
  });
  const keys = [...members.map(({ key }) => key), "unknown"];
  assert.deepEqual(
    keys.filter((key) => isAsked(key, 80)),
    ["into", "out of", "stays"],
  );
  assert.deepEqual(
    keys.filter((key) => isAsked(key, 90)),
    [],
  );
});
