/** What a verdict reads of a week in which a hundred proxies had sixty callers each, every hour: a million rows. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { EVIDENCE_NOW_MS as now, EvidenceScene, HOUR_MS, memberOf } from "../support/evidence.ts";

const week = 168;
const firstHour = now / HOUR_MS - week;

it("is read in 200 ms", (context) => {
  using scene = new EvidenceScene(now - 2 * week * HOUR_MS);
  scene.write(...Array.from({ length: 1_000 }, (_, at) => memberOf(`p${at}`)));
  scene.database.exec(`
    INSERT INTO sources (id, kind, name, last_hour)
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
      SELECT i, i % 2 + 1, 'spiffe://mesh.test/ns/shop/sa/caller-' || i, ${firstHour + week} FROM n;
    INSERT INTO callers
      WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 5999)
      SELECT i / 60 + 1, 8080 + i % 3, i % 4, 0, i % 60 * 8 + 1, i + 1, ${firstHour * HOUR_MS},
        ${firstHour + week}, ${now}, ${now + 1}, ${week + 1}, '' FROM n;
    INSERT INTO hours
      WITH RECURSIVE h(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM h WHERE i < ${week - 1})
      SELECT callers.id, ${firstHour} + h.i, (${firstHour} + h.i) * ${HOUR_MS},
        (${firstHour} + h.i) * ${HOUR_MS} + 5, h.i + 1 FROM callers JOIN h;
    INSERT INTO spans SELECT id, 8080, 1, ${firstHour * HOUR_MS}, ${now}, 0, 0, 0, 0 FROM members;
  `);
  const rows = scene.database.prepare("SELECT count(*) AS rows FROM hours").get()?.["rows"];
  assert.equal(rows, 6_000 * week);
  const sinceMs = now - week * HOUR_MS + 6;
  const read = (): number => {
    const { user, system } = process.cpuUsage();
    const keys = scene.members(sinceMs, { app: "web" }).map(({ key }) => key);
    const seen = scene.seen(sinceMs, keys.slice(0, 100));
    assert.equal(seen.length, 6_000);
    assert.ok(seen.every(({ count }) => count === week + 1));
    scene.spans(sinceMs);
    const used = process.cpuUsage({ user, system });
    return (used.user + used.system) / 1_000;
  };
  const times = Array.from({ length: 5 }, read);
  context.diagnostic(`${times.map((ms) => ms.toFixed(0)).join(", ")} ms of CPU`);
  assert.ok(Math.min(...times) < 200);
});
