import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";
import {
  anyEntry,
  sampleEvent,
  sampleIntent,
  sampleRefusals,
  sampleResult,
} from "../../../test/support/log-entries.ts";
import { hex } from "../../../test/support/log-tree.ts";
import { mutate, seededRandom } from "../../../test/support/mutate.ts";
import { decodeEntry, encodeEntry } from "./entry-codec.ts";
import { ENTRY_BYTES_MAX } from "./entry-wire.ts";
import type { Entry } from "./entry.ts";
import { LogError, type LogErrorCode } from "./log-error.ts";

const samples: readonly Entry[] = [
  sampleIntent(),
  sampleResult(),
  sampleRefusals(),
  sampleEvent({ digest: new Uint8Array(32), operator: "alice" }),
];
const root = "4d".repeat(32);
const naming = [
  sampleIntent({ agent: "a1" }),
  sampleIntent({ root }),
  sampleIntent({ agent: "a1", root }),
] as const;
const [ofAgent] = naming;

function codeOf(action: () => unknown): LogErrorCode | "accepted" {
  try {
    action();
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof LogError, String(error));
    return error.code;
  }
}

describe("encodeEntry and decodeEntry", () => {
  it("give every entry back", () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        assert.deepEqual(decodeEntry(encodeEntry(entry)), entry);
      }),
    );
  });

  it("accept no octets but those of the entry they are read as", () => {
    fc.assert(
      fc.property(anyEntry, fc.integer(), (entry, seed) => {
        const bytes = encodeEntry(entry);
        const mutant = mutate(bytes, seededRandom(seed));
        const outcome = codeOf(() => {
          assert.deepEqual(encodeEntry(decodeEntry(mutant)), new Uint8Array(mutant));
        });
        const isOther = Buffer.compare(mutant, bytes) !== 0;
        if (isOther && outcome === "accepted") assert.notDeepEqual(decodeEntry(mutant), entry);
      }),
      { numRuns: 2_000 },
    );
  });

  it("refuse or tell apart each octet changed, cut off or added", () => {
    for (const entry of [...samples, ...naming]) {
      const bytes = encodeEntry(entry);
      const changed = [...bytes.keys()].flatMap((at) => {
        const flipped = [0x01, 0x80, 0xff].map((bit) => bytes.with(at, (bytes[at] ?? 0) ^ bit));
        return [...flipped, bytes.subarray(0, at)];
      });
      for (const mutant of [...changed, Buffer.concat([bytes, Uint8Array.of(0)])]) {
        if (codeOf(() => decodeEntry(mutant)) !== "accepted") continue;
        assert.notDeepEqual(decodeEntry(mutant), entry);
        assert.deepEqual(encodeEntry(decodeEntry(mutant)), mutant);
      }
    }
  });

  it("write version 1 as it has always been written", () => {
    const time = "01a0c4506c00";
    const identity = `0028 ${utf8("spiffe://cluster.local/ns/default/sa/web")}`;
    const serial = "10 5a5a5a5a5a5a5a5a5a5a5a5a00000000";
    const expected: readonly string[] = [
      `01 01 ${time} 01 ff7f1c7a3e2f0b4c579d2e0a4d5b6c7d8e ${identity}
       14 0123456789abcdef0123456789abcdef01234567 ${serial}
       006ab13b08 006ab28d00 ${"aa".repeat(32)} ${"bb".repeat(32)} 01
       002c ${utf8("https://kubernetes.default.svc.cluster.local")}
       ff1d0e4a5293a14f3b8a515c1f0f6f2b11 07 ${utf8("default")}
       13 ${utf8("web-7d4b9c6f5-x2x7q")} ffc0ffee0012344abc8def0123456789ab
       1e ${utf8("ip-192-0-2-34.example.internal")} 0a ${utf8("192.0.2.34")}`,
      `01 02 ${time} 000000000001 ${serial} 01 20 ${"cc".repeat(32)} 00`,
      `01 03 ${time} ${identity} 0a ${utf8("192.0.2.34")} 0c ${utf8("rate-limited")}
       0000000c 01a0c44f81a0 01a0c4506bff`,
      `01 04 ${time} 01 05 ${utf8("alice")} 001c ${utf8("cluster.local/portcullis/log")} 0000
       20 ${"00".repeat(32)} 0000`,
    ];
    assert.deepEqual(
      samples.map((entry) => hex(encodeEntry(entry))),
      expected.map((fields) => fields.replaceAll(/\s/g, "")),
    );
  });

  it("write version 2 for an intent that names its root or its agent, which stand at the end", () => {
    const agent = "agent-7d4b9c6f5";
    const uuid = "1d0e4a52-93a1-4f3b-8a51-5c1f0f6f2b11";
    const plain = `02${hex(encodeEntry(sampleIntent())).slice(2)}`;
    const table = [
      [{ agent }, `00 0f${utf8(agent)}`],
      [{ root }, `20${root} 00`],
      [{ root, agent }, `20${root} 0f${utf8(agent)}`],
      [{ root, agent: uuid }, `20${root} ff${uuid.replaceAll("-", "")}`],
    ] as const;
    for (const [names, end] of table) {
      const intent = sampleIntent(names);
      assert.equal(hex(encodeEntry(intent)), `${plain}${end.replace(" ", "")}`);
      assert.deepEqual(decodeEntry(encodeEntry(intent)), intent);
    }
  });

  it("need at most 480 octets for intent and result of a workload in Kubernetes, 34 of them for its root", () => {
    const [octets, without] = [root, ""].map(
      (each) => encodeEntry(sampleIntent({ root: each })).length,
    );
    assert.equal(octets, (without ?? 0) + 34);
    assert.ok((octets ?? 0) + encodeEntry(sampleResult()).length <= 480, String(octets));
  });
});

describe("encodeEntry", () => {
  const { evidence } = sampleIntent();
  const refused: readonly (readonly [what: string, entry: Entry])[] = [
    ["a time before 1970", sampleEvent({ timeMs: -1 })],
    ["a fraction of a millisecond", sampleEvent({ timeMs: 0.5 })],
    ["a time that is no number", sampleEvent({ timeMs: Number.NaN })],
    ["a time of more than 6 octets", sampleEvent({ timeMs: 2 ** 48 })],
    ["a validity with a fraction of a second", sampleIntent({ notAfterMs: 1_500 })],
    ["a serial of nothing", sampleIntent({ serial: new Uint8Array(0) })],
    ["a serial with a leading zero", sampleIntent({ serial: Uint8Array.of(0, 1) })],
    ["a serial of 21 octets", sampleIntent({ serial: new Uint8Array(21).fill(1) })],
    ["a short digest of a key", sampleIntent({ keyDigest: new Uint8Array(31) })],
    ["a digest of 33 octets", sampleEvent({ digest: new Uint8Array(33) })],
    ["an authority in upper case", sampleIntent({ authority: "AB" })],
    ["an authority of half an octet", sampleIntent({ authority: "abc" })],
    ["an authority of nothing", sampleIntent({ authority: "" })],
    ["half of a surrogate pair", sampleEvent({ subject: "\ud800" })],
    ["a name of 255 octets", sampleIntent({ evidence: { ...evidence, node: "n".repeat(255) } })],
    ["an agent of 255 octets", sampleIntent({ agent: "n".repeat(255) })],
    ["a root of 31 octets", sampleIntent({ root: root.slice(2) })],
    ["a root of 33 octets", sampleIntent({ root: `${root}4d` })],
    ["a root in upper case", sampleIntent({ root: root.toUpperCase() })],
    ["an identity of 2,049 octets", sampleIntent({ identity: "i".repeat(2_049) })],
    ["a detail of 4,097 octets", sampleEvent({ detail: "d".repeat(4_097) })],
    ["a count of more than 4 octets", sampleRefusals({ count: 2 ** 32 })],
  ];
  for (const [what, entry] of refused) {
    it(`refuses ${what}, and is none the worse for it`, () => {
      assert.equal(
        codeOf(() => encodeEntry(entry)),
        "log-entry-malformed",
      );
      assert.deepEqual(decodeEntry(encodeEntry(sampleResult())), sampleResult());
    });
  }

  it("has room for the longest of every kind", () => {
    const long = "n".repeat(254);
    const identity = "i".repeat(2_048);
    const names = { tokenId: long, namespace: long, pod: long, podUid: long, node: long };
    const entries: readonly Entry[] = [
      sampleIntent({
        requestId: long,
        identity,
        evidence: { method: "oidc", issuer: "i".repeat(1_024), address: long, ...names },
        root,
        agent: long,
      }),
      sampleResult({ reason: long }),
      sampleRefusals({ caller: identity, address: long, reason: long }),
      sampleEvent({
        operator: long,
        subject: identity,
        reason: "r".repeat(1_024),
        detail: "d".repeat(4_096),
      }),
    ];
    for (const entry of entries) {
      const bytes = encodeEntry(entry);
      assert.ok(bytes.length <= ENTRY_BYTES_MAX);
      assert.deepEqual(decodeEntry(bytes), entry);
    }
  });
});

describe("decodeEntry", () => {
  const intent = encodeEntry(sampleIntent());
  /** Version, kind, time, artifact, a UUID, the identity with its length. */
  const authorityAt = 8 + 1 + 17 + 42;
  const longCaller = encodeEntry(sampleRefusals({ caller: "i".repeat(2_048) }));
  const namedIntent = encodeEntry(ofAgent);
  const octets = (count: number): Uint8Array => new Uint8Array(count).fill(0x4d);
  const ending = (...end: readonly number[]): Uint8Array =>
    Buffer.concat([intent.with(0, 2), Uint8Array.from(end)]);
  const result = encodeEntry(sampleResult());
  const event = encodeEntry(sampleEvent({ operator: "ab", subject: "" }));
  /** Version, kind, time, type. */
  const operatorAt = 9;
  const refused: readonly (readonly [what: string, bytes: Uint8Array, code: LogErrorCode])[] = [
    ["nothing", new Uint8Array(0), "log-entry-malformed"],
    ["version 0", result.with(0, 0), "log-entry-version"],
    ["version 2 of a result", result.with(0, 2), "log-entry-malformed"],
    ["version 2 of an event", event.with(0, 2), "log-entry-malformed"],
    [
      "version 2 of an intent that ends as version 1 does",
      intent.with(0, 2),
      "log-entry-malformed",
    ],
    ["version 2 of an intent with an empty root and no more", ending(0), "log-entry-malformed"],
    ["version 2 of an intent with neither root nor agent", ending(0, 0), "log-entry-malformed"],
    ["a root of 31 octets", ending(31, ...octets(31), 0), "log-entry-malformed"],
    ["a root of 33 octets", ending(33, ...octets(33), 0), "log-entry-malformed"],
    ["a root of 20 octets", ending(20, ...octets(20), 2, 0x61, 0x31), "log-entry-malformed"],
    ["a root without an agent's length", ending(32, ...octets(32)), "log-entry-malformed"],
    ["version 1 of an intent with an agent", namedIntent.with(0, 1), "log-entry-malformed"],
    ["version 3", namedIntent.with(0, 3), "log-entry-version"],
    ["kind 0", result.with(1, 0), "log-entry-malformed"],
    ["kind 5", result.with(1, 5), "log-entry-malformed"],
    ["an octet more", Buffer.concat([result, Uint8Array.of(0)]), "log-entry-malformed"],
    ["an octet less", result.subarray(0, -1), "log-entry-malformed"],
    ["8,193 octets", new Uint8Array(ENTRY_BYTES_MAX + 1).fill(1), "log-entry-too-large"],
    [
      "an overlong UTF-8 sequence",
      withOctets(event, operatorAt + 1, [0xc0, 0x80]),
      "log-entry-malformed",
    ],
    [
      "a surrogate in UTF-8",
      withOctets(encodeEntry(sampleEvent({ operator: "abc" })), operatorAt + 1, [0xed, 0xa0, 0x80]),
      "log-entry-malformed",
    ],
    ["an authority of nothing", splice(intent, authorityAt, 21, [0]), "log-entry-malformed"],
    [
      "an authority of 33 octets",
      splice(intent, authorityAt, 1, [33, ...new Uint8Array(13)]),
      "log-entry-malformed",
    ],
    ["a caller of 2,049 octets", splice(longCaller, 8, 2, [8, 1, 0x69]), "log-entry-malformed"],
    ["a UUID in text", uuidInText(), "log-entry-malformed"],
  ];
  for (const [what, bytes, code] of refused) {
    it(`refuses ${what}`, () => {
      assert.equal(
        codeOf(() => decodeEntry(bytes)),
        code,
      );
    });
  }

  it("keeps a replacement character and a byte order mark that were really there", () => {
    const entry = sampleEvent({ subject: "\ufeffa\ufffdb" });
    assert.deepEqual(decodeEntry(encodeEntry(entry)), entry);
  });

  it("keeps nothing of the bytes that it read", () => {
    const bytes = encodeEntry(sampleResult());
    const entry = decodeEntry(bytes);
    bytes.fill(0);
    assert.deepEqual(entry, sampleResult());
  });
});

function utf8(text: string): string {
  return hex(Buffer.from(text));
}

function splice(
  bytes: Uint8Array,
  at: number,
  without: number,
  octets: readonly number[],
): Uint8Array {
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(octets), bytes.subarray(at + without)]);
}

function withOctets(bytes: Uint8Array, at: number, octets: readonly number[]): Uint8Array {
  const changed = bytes.slice();
  changed.set(octets, at);
  return changed;
}

/** As another writer would have put it: 36 characters, the form that is not ours. */
function uuidInText(): Uint8Array {
  const uuid = "7f1c7a3e-2f0b-4c57-9d2e-0a4d5b6c7d8e";
  const bytes = encodeEntry(sampleEvent({ operator: uuid.replace("7f", "zz") }));
  return Buffer.from(Buffer.from(bytes).toString("latin1").replace("zz", "7f"), "latin1");
}
