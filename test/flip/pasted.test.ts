/** What is printed as the next command is taken by the verb that it names, with the flags that led to the server. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCommandLine } from "../../src/app/cli/command-line.ts";
import { flipNext } from "../../src/app/cli/mtls-flip-next.ts";
import { flipWords, toPermissive } from "../../src/app/cli/mtls-flip-flags.ts";
import { flipValue } from "../../src/app/cli/mtls-flip-value.ts";
import { callerDeeds, silentDeeds } from "../../src/app/cli/mtls-verdict-deeds.ts";
import { verdictNext } from "../../src/app/cli/mtls-verdict-next.ts";
import { verdictValue } from "../../src/app/cli/mtls-verdict-value.ts";
import { asAsked, type Asked } from "../../src/app/cli/mtls-asked.ts";
import { nextOf as namedBy, type NextValue } from "../../src/app/cli/next-commands.ts";
import { REGISTRY } from "../../src/app/cli/registry.ts";
import { commandOf } from "../../src/app/cli/server-target.ts";
import { create } from "@bufbuild/protobuf";
import { waiverWords } from "../../src/app/cli/waiver-flags.ts";
import { FlipStatusSchema, MtlsVerdictSchema } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { caller, flip, safe, silent, unsafe, type VerdictAnswer } from "./flip-rig.ts";

const server = { flagText: " --data-dir '/srv/my mesh'" };

/** As a shell would split it, with something in the place of the words in capitals. */
async function assertTaken(command: string): Promise<void> {
  const filled = command.replaceAll(/ DURATION\b/g, " 1h");
  const words = Array.from(filled.matchAll(/(?:'[^']*'|\S)+/g), ([word]) =>
    word.replaceAll("'", ""),
  );
  const [program, ...rest] = words;
  assert.equal(program, "portcullis");
  const entry = REGISTRY.find(({ path }) => path.every((each, index) => rest[index] === each));
  assert.ok(entry !== undefined, command);
  const { flags } = parseCommandLine(
    entry.path,
    await entry.load(),
    rest.slice(entry.path.length),
    {},
  );
  assert.equal(flags["data-dir"], "/srv/my mesh", command);
}

async function assertAllTaken(next: readonly NextValue[]): Promise<void> {
  for (const { command, why } of next) {
    assert.doesNotMatch(why, /\bportcullis\b|:$/);
    if (command !== "") await assertTaken(command);
  }
}

const nextOf = (verdict: VerdictAnswer): readonly NextValue[] =>
  verdictNext(verdictValue(create(MtlsVerdictSchema, verdict)), server, { lookBack: 90_000 });

describe("after a verdict", () => {
  for (const holder of [...callerDeeds.keys(), "configuration"]) {
    it(`with a caller that is ${holder}`, async () => {
      const callers = [caller("a/b c", { holder }), caller("a/d", { holder, called: [] })];
      await assertAllTaken(nextOf({ ...unsafe, callers }));
    });
  }

  for (const reason of silentDeeds.keys()) {
    it(`with a proxy that is silent for ${reason}`, async () => {
      const one = [silent("proxy/payments/api-3", reason)];
      const next = nextOf({ ...safe, verdict: "unknown", silent: one });
      await assertAllTaken(next);
      // Where nobody has a proxy nothing can be flipped, whoever is waived.
      const least = reason === "nobody" ? 1 : 2;
      assert.ok(next.length >= least, "what to do, and the waiver");
    });
  }

  for (const mode of ["permissive", "strict", "disable"]) {
    it(`that is SAFE where it is ${mode}`, async () => {
      await assertAllTaken(nextOf({ ...safe, ports: [{ workload: "a/b", port: 1, mode }] }));
    });
  }
});

describe("what a server names", () => {
  const next = (hint: string, asked: Asked): readonly string[] =>
    asAsked(namedBy({ ...server, address: "" }, hint), asked).map(({ command }) => command);
  const at = "--data-dir '/srv/my mesh'";
  const words = ["--to", "strict", "--stages", "1,all", "-o", "json"];
  const wanted = { selectors: ["a b"], reason: "x y", seconds: 60, yes: true };

  it("is asked for again with all that was given", async () => {
    const hint =
      "again: portcullis mtls flip a/b --to strict; print it: portcullis mtls flip a/b --to strict -o yaml; " +
      "who: portcullis mtls check a/b; follow it: portcullis mtls flip a/b";
    const commands = next(hint, { lookBack: 3_600, words, wanted });
    const waived = "--waive 'a b' --reason 'x y' --for 1m";
    assert.deepEqual(commands, [
      `portcullis mtls flip ${at} a/b --to strict --stages 1,all -o json ${waived}`,
      `portcullis mtls flip ${at} a/b --to strict --stages 1,all ${waived} -o yaml`,
      `portcullis mtls check ${at} a/b --look-back 1h`,
      `portcullis mtls flip ${at} a/b`,
    ]);
    for (const command of commands) await assertTaken(command);
  });

  it("is asked for with the look-back alone where no flip was", () => {
    assert.deepEqual(next("portcullis mtls flip a/b --to strict", { lookBack: 60 }), [
      `portcullis mtls flip ${at} a/b --to strict --look-back 1m`,
    ]);
    const plain = "portcullis mtls flip a/b --to strict";
    assert.deepEqual(next(plain, { lookBack: undefined }), [
      `portcullis mtls flip ${at} a/b --to strict`,
    ]);
  });
});

describe("of a flip", () => {
  for (const state of ["editing", "stage", "watching", "reverting"]) {
    it(`that is ${state}`, () =>
      assertAllTaken(flipNext(flipValue(create(FlipStatusSchema, flip(state))), server)));
  }

  it("that was not meant without --yes, with all its flags", async () => {
    const flags = {
      to: "strict",
      stages: "1,10%,all",
      "revert-window": 600,
      "revert-on-refused": 3,
      "look-back": 90_000,
      waive: ["legacy/*"],
      reason: "shut down",
      for: 7_200,
      yes: false,
      "dry-run": false,
      output: "yaml",
    } as const;
    const wanted = { selectors: ["legacy/*"], reason: "shut down", seconds: 7_200, yes: false };
    const words = [...flipWords(flags), ...waiverWords(wanted), "--yes"];
    const command = commandOf(server, "mtls flip", ["a/b", ...words]);
    assert.equal(
      command,
      "portcullis mtls flip --data-dir '/srv/my mesh' a/b --to strict --stages 1,10%,all --revert-window 10m " +
        "--revert-on-refused 3 --look-back 1d1h -o yaml --waive 'legacy/*' --reason 'shut down' --for 2h --yes",
    );
    await assertTaken(command);
  });

  it("to permissive, which other verbs do", () => {
    assert.match(
      toPermissive("a/b", server).hint ?? "",
      /mtls revert --data-dir '\/srv\/my mesh' a\/b\n.*mtls permissive --data-dir '\/srv\/my mesh' a\/b --until 30d /,
    );
  });
});
