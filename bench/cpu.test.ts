import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseUsage, readUsage } from "./cpu.ts";

const texts = {
  stat: "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 150 25 7 7 20 0 11 0 1000 1 1\n",
  status: "Name:\ta ) b\nVmPeak:\t  900000 kB\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\n",
  smaps: "Rss:    102400 kB\nPss:     51200 kB\nPss_Anon:    1 kB\n",
};

describe("parseUsage", () => {
  it("adds user and system time, whatever the command is called", () => {
    assert.deepEqual(parseUsage(texts, 100), {
      cpuMicros: 1_750_000,
      rssMiB: 100,
      rssPeakMiB: 200,
      pssMiB: 50,
    });
  });

  for (const name of ["stat", "status", "smaps"] as const) {
    it(`refuses ${name} without the figure`, () => {
      const code = "usage-unreadable";
      assert.throws(() => parseUsage({ ...texts, [name]: "" }, 100), { code });
      assert.throws(() => parseUsage({ ...texts, [name]: undefined }, 100), { code });
    });
  }
});

describe("readUsage", { skip: process.platform !== "linux" && "there is no /proc" }, () => {
  it("agrees with what Node says of this process", async () => {
    const before = await readUsage(process.pid);
    const { user, system } = process.cpuUsage();
    const after = await readUsage(process.pid);
    const tick = 20_000;
    assert.ok(before.cpuMicros <= user + system + tick && user + system <= after.cpuMicros + tick);
    assert.ok(after.rssMiB > 10 && after.rssMiB <= after.rssPeakMiB + 1);
    assert.ok(after.pssMiB > 1 && after.pssMiB <= after.rssMiB + 1);
  });

  it("fails for a process that is not there", async () => {
    await assert.rejects(readUsage(2 ** 31 - 1), { code: "usage-unreadable" });
  });
});
