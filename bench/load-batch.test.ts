import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { SignBatchRequestSchema } from "../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { assertAllAnswered, findPrograms, LoadSetup, RECORDS, WORKLOADS } from "./load-setup.ts";
import { frameBatch, frameChain, reply, type Answer } from "./stub-ca.ts";

const batch = 20;
const { programs, skip } = await findPrograms();
let setup: LoadSetup;

describe("the load generator, with batches", { skip, timeout: 60_000 }, () => {
  before(async () => {
    setup = await LoadSetup.open(programs);
  });
  after(() => setup[Symbol.dispose]());

  it("puts each record into one batch, with its token, and none into the headers", async () => {
    const tokens = new Set<string>();
    const csrs = new Set<string>();
    const answer: Answer = (stream, message, headers) => {
      assert.equal(headers[":path"], "/portcullis.mesh.v1.MeshService/SignBatch");
      assert.equal(headers.authorization, undefined);
      const { entries } = fromBinary(SignBatchRequestSchema, message);
      assert.equal(entries.length, batch);
      for (const entry of entries) {
        tokens.add(entry.token);
        csrs.add(entry.csr);
      }
      reply(stream, frameBatch(batch));
    };
    const { outcome } = await setup.load(answer, { batch, fresh: true });
    assertAllAnswered(outcome, RECORDS / batch);
    assert.equal(tokens.size, RECORDS);
    assert.equal(csrs.size, WORKLOADS);
    assert.ok([...tokens].every((token) => setup.isSigned(token)));
  });

  const broken: [string, () => Buffer][] = [
    ["without one of its results", () => frameBatch(batch - 1)],
    ["with a result too many", () => frameBatch(batch + 1)],
    ["with a refusal", () => frameBatch(batch, batch - 1)],
    ["of another kind", () => frameChain(batch)],
  ];
  for (const [title, body] of broken) {
    it(`counts an answer ${title} as BAD_REPLY`, async () => {
      const { outcome } = await setup.load((stream) => reply(stream, body()), { batch });
      assert.deepEqual([...outcome.failed], [["BAD_REPLY", RECORDS / batch]]);
    });
  }

  it("fails if the records make no whole batches", async () => {
    const run = setup.load((stream) => reply(stream, frameBatch(7)), { batch: 7 });
    await assert.rejects(run, { name: "LoadError", code: "load-run-failed" });
  });
});
