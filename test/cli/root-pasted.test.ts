/** Commands in what a rotation says next: each is taken by the verb that it names, with the flags that led to the server. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCommandLine } from "../../src/app/cli/command-line.ts";
import { REGISTRY } from "../../src/app/cli/registry.ts";
import { nextOf } from "../../src/app/cli/next-commands.ts";
import { awayNext } from "../../src/app/cli/root-classes.ts";
import { nextAfter } from "../../src/app/server/rotation/rotation-text.ts";
import { holdersLeft, verifiersLagging } from "../../src/core/trust/rotation-gate-refusals.ts";
import {
  authorityExpiring,
  authorityKnown,
  authorityUnknown,
  compromisedKnown,
  nothingPrepared,
  nothingToConfirm,
  nothingToRetire,
  nothingToRollBack,
  replacementNeeded,
  rootInFiles,
  rotationInProgress,
  stateTooLarge,
  trustChanged,
} from "../../src/core/trust/rotation-refusals.ts";
import { activeAuthority, authorityIn } from "../../src/core/trust/trust-state.ts";
import {
  afterCommands,
  closedGate,
  firstTrust,
  laggard,
  prepareOf,
} from "../support/trust-states.ts";

const target = { address: "", flagText: " --data-dir '/srv/my mesh'" };

/** As a shell would split it, with something in the place of the words in capitals. */
function wordsOf(command: string): readonly string[] {
  const filled = command.replaceAll(/ DURATION\b/g, " 1h");
  const words = filled.matchAll(/(?:'[^']*'|\S)+/g);
  return Array.from(words, ([word]) => word.replaceAll("'", ""));
}

async function assertTaken(command: string): Promise<void> {
  const [program, ...words] = wordsOf(command);
  assert.equal(program, "portcullis");
  const entry = REGISTRY.find(({ path }) => path.every((each, index) => words[index] === each));
  assert.ok(entry !== undefined, command);
  const rest = words.slice(entry.path.length);
  const { flags } = parseCommandLine(entry.path, await entry.load(), rest, {});
  assert.equal(flags["data-dir"], "/srv/my mesh", command);
}

const prepared = afterCommands([prepareOf("B")]);
const retiring = afterCommands([{ kind: "activate" }], prepared);
const retired = afterCommands([{ kind: "retire" }], retiring);
const states = [firstTrust, prepared, retiring, retired];
const gates = [
  closedGate(),
  closedGate({ opensAtMs: 60_000 }),
  closedGate({ laggards: [laggard("server/clock", { reason: "clock" })] }),
  closedGate({ laggards: [laggard("server/log", { reason: "rebuilding" })] }),
  closedGate({ laggards: [laggard("class/signed-elsewhere", { reason: "unobservable" })] }),
].filter((gate) => gate.kind === "closed");
const active = activeAuthority(firstTrust);
const known = retired.retired[0] ?? assert.fail();

const refusals = [
  ...states.flatMap((state) => [
    rotationInProgress(state),
    nothingPrepared(state, "activate"),
    nothingPrepared(state, "abort"),
    nothingToRetire(state),
    nothingToRollBack(state),
    authorityUnknown(state, known.id),
  ]),
  ...gates.flatMap((gate) => [
    verifiersLagging("activate", gate),
    verifiersLagging("confirm", gate),
    holdersLeft(active, "retire", gate),
    holdersLeft(active, "abort", gate),
  ]),
  nothingToConfirm(),
  authorityExpiring(authorityIn(prepared, "prepared") ?? active, 2, 3),
  authorityExpiring(active, 2, 3),
  trustChanged("41", active),
  authorityKnown(active),
  compromisedKnown(known),
  rootInFiles(active, "retire"),
  rootInFiles(active, "abort"),
  replacementNeeded(active),
  stateTooLarge(2, 1),
];

const away = awayNext(target);

it("the way on from an adopted root ends with the waiver of what others have signed under it", async () => {
  const [rotate, resume, ...more] = away;
  assert.deepEqual(more, []);
  await Promise.all(away.map(({ command }) => assertTaken(command)));
  assert.match(rotate?.command ?? "", /^portcullis root rotate --data-dir '\/srv\/my mesh'$/);
  assert.match(resume?.command ?? "", /rotate .*--resume --waive class\/signed-elsewhere --reason/);
  assert.match(
    resume?.why ?? "",
    /when the last certificate that was signed elsewhere .* expired$/,
  );
});

const kinds = ["prepare", "activate", "rollback", "retire", "abort", "compromise"] as const;
const answers = kinds.flatMap((kind) => {
  const command = kind === "prepare" ? prepareOf("C") : ({ kind, authorityId: "41" } as const);
  return [true, false].flatMap((isOpen) =>
    [[], ["class/files"]].map((named) => ({
      code: `${kind}, ${isOpen ? "open" : "closed"}`,
      hint: nextAfter(
        command,
        () => isOpen,
        () => named,
      ),
    })),
  );
});

it("what comes first after a rollback does not undo it", () => {
  const first = (isOpen: boolean) =>
    nextOf(
      target,
      nextAfter(
        { kind: "rollback" },
        () => isOpen,
        () => [],
      ),
    )[0]?.command;
  assert.match(first(true) ?? "", /^portcullis root abort /);
  assert.match(first(false) ?? "", /^portcullis root status /);
});

describe("what is to be pasted is taken as it is", () => {
  for (const { code, hint } of [...refusals, ...answers]) {
    it(`${code}: ${hint}`, async () => {
      for (const { command, why } of nextOf(target, hint)) {
        assert.doesNotMatch(why, /\bportcullis\b|:$/);
        if (command !== "") await assertTaken(command);
      }
    });
  }
});
