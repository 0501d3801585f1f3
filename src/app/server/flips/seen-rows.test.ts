import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { StoredSeen } from "../../../edge/evidence/evidence-question.ts";
import { seenOf } from "../../../../test/support/evidence.ts";
import { rowsOf, seenRows } from "./seen-rows.ts";

const row = fc.record({
  member: fc.constantFrom("1", "2", "3", "4", "5", "6"),
  port: fc.constantFrom(80, 90),
  kind: fc.constantFrom("mtls", "mtls", "tls", "plaintext"),
  isRefused: fc.boolean(),
  count: fc.integer({ min: 1, max: 9 }),
  lastMs: fc.integer({ min: 0, max: 99 }),
});

test("rows with mTLS are summed up for each port of a member, all others are there, and nobody is asked twice", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 60 }), async (given) => {
      const rows: readonly StoredSeen[] = given.map((each) => ({
        ...seenOf(0),
        ...each,
        everFirstMs: 0,
      }));
      const asked: string[] = [];
      const ask = (members: readonly string[]): Promise<readonly StoredSeen[]> => {
        asked.push(...members);
        return Promise.resolve(rows.filter(({ member }) => members.includes(member)));
      };
      const members = ["1", "2", "3", "4", "5", "6"];
      const isAsked = (member: string, port: number): boolean => member !== "6" && port === 80;
      const { others, mtls } = await seenRows(members, ask, isAsked);
      assert.deepEqual(asked, members);
      const wanted = rows.filter(({ member, port }) => isAsked(member, port));
      const isMtls = ({ kind, isRefused }: StoredSeen): boolean => kind === "mtls" && !isRefused;
      assert.deepEqual(new Set(others), new Set(wanted.filter((each) => !isMtls(each))));
      const sums = Map.groupBy(wanted.filter(isMtls), ({ member }) => member);
      assert.equal(mtls.length, sums.size);
      for (const { member, count, lastMs } of mtls) {
        const all = sums.get(member) ?? [];
        assert.equal(
          count,
          all.reduce((sum, each) => sum + each.count, 0),
        );
        assert.equal(lastMs, Math.max(...all.map((each) => each.lastMs)));
      }
    }),
  );
});

test("members are asked for together as long as they have few rows, and alone when they have many", async () => {
  const sizes = async (rowsEach: number): Promise<readonly number[]> => {
    const asked: number[] = [];
    const ask = (members: readonly string[]): Promise<readonly StoredSeen[]> => {
      asked.push(members.length);
      const rows = Array.from({ length: members.length * rowsEach }, () => {
        return { ...seenOf(0), member: "1", everFirstMs: 0 };
      });
      return Promise.resolve(rows);
    };
    const members = Array.from({ length: 100 }, (_, at) => String(at));
    await Array.fromAsync(rowsOf(members, ask));
    return asked;
  };
  assert.deepEqual(await sizes(1), [4, 8, 16, 32, 40]);
  const many = await sizes(8_000);
  assert.deepEqual(many.slice(0, 3), [4, 2, 1]);
  assert.ok(many.slice(2).every((size) => size === 1));
});
