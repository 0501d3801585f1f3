import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { laggard } from "../../../test/support/root-status.ts";
import type { LaggardValue } from "./laggard-value.ts";
import { laggardNames, laggardTable } from "./root-laggards.ts";

const nowMs = Date.UTC(2026, 10, 29, 12);
const target = { address: "", flagText: " --data-dir /srv/a" };
const view = { nowMs, colour: false, target };
const pay = "spiffe://cluster.local/ns/shop/sa/pay";

const certificate = (serial: string, minutes: number, identity = pay): LaggardValue =>
  laggard(`certificate/${serial}`, {
    identity,
    reason: "unexpired",
    detail: "",
    endsAt: new Date(nowMs + minutes * 60_000).toISOString(),
  });
const many = Array.from({ length: 300 }, (_, index) => certificate(String(index), 1 + index / 60));
const rowsOf = (table: string) =>
  table.split("\n").map((line) => line.replaceAll(/ {3,}/g, " | ").trim());

describe("whom a rotation waits for", () => {
  it("is a line for each workload, with its last end, and the last to end first", () => {
    const cart = certificate("ff", 30, "spiffe://cluster.local/ns/shop/sa/cart");
    const files = laggard("class/files", { reason: "unobservable", endsAt: "", detail: "" });
    assert.deepEqual(rowsOf(laggardTable([...many, files, cart], 302, view)), [
      "WHO | IDENTITY | REASON | ENDS",
      "class/files | - | unobservable | -",
      "certificate/ff | spiffe://cluster.local/ns/shop/sa/cart | unexpired | in 30m",
      `300 certificates | ${pay} | unexpired | in 5m59s`,
      "",
    ]);
  });

  it("names each where all are asked for, and says how many the server did not name", () => {
    const rows = rowsOf(laggardTable(many, 305, { ...view, isEach: true }));
    assert.equal(rows.length, 303);
    assert.equal(rows[301], "and 5 more, whom the server does not name");
  });

  it("ends after 20 lines, and says how to see all, with the flags of the verb", () => {
    const workloads = Array.from({ length: 25 }, (_, index) =>
      certificate(String(index), index + 1, `${pay}-${index}`),
    );
    const rows = rowsOf(laggardTable(workloads, 1_000, view));
    assert.equal(rows.length, 23);
    assert.equal(rows[21], "and 980 more: portcullis root status --data-dir /srv/a --all");
  });

  it("says each detail once below the table, and by name where those of a reason differ", () => {
    const refused = (name: string, detail: string) => laggard(name, { reason: "refused", detail });
    const table = laggardTable(
      [
        refused("proxy/a", "bad PEM"),
        refused("proxy/b", "no root"),
        certificate("1", 1),
        ...many,
      ].map((each) => (each.kind === "certificate" ? { ...each, detail: "not expired" } : each)),
      303,
      view,
    );
    assert.deepEqual(table.split("\n").slice(-4), [
      "  proxy/a: bad PEM",
      "  proxy/b: no root",
      "  unexpired: not expired",
      "",
    ]);
  });

  it("keeps apart what is held for other reasons, and whoever has a name of its own", () => {
    const others = [
      certificate("1", 1),
      { ...certificate("2", 2), reason: "perhaps-signed" },
      laggard(`proxy/pay-0@${pay}`, { identity: pay }),
      laggard(`proxy/pay-1@${pay}`, { identity: pay }),
    ];
    const rows = rowsOf(laggardTable(others, 4, view)).filter((row) => row.includes(" | "));
    assert.equal(rows.length, 5);
  });

  it("fits on one line by the first few workloads", () => {
    assert.equal(
      laggardNames([...many, certificate("ff", 30, `${pay}2`)], 400),
      `certificate of ${pay}2 (unexpired), certificates of ${pay} (unexpired) and 99 more`,
    );
    assert.equal(laggardNames([], 3), "");
  });
});
