/**
 * Adds entries to the log, in the thread that owns the database. A batch is one transaction: entries, the tiles that it
 * fills, the index of certificates, the signed checkpoint. Whatever fails, nothing of the batch is there, and what is
 * known of the tree is read anew.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { signCheckpoint } from "../../core/log/checkpoint.ts";
import { decodeEntry } from "../../core/log/entry-codec.ts";
import type { Entry } from "../../core/log/entry.ts";
import { leafHash } from "../../core/log/merkle.ts";
import type { NoteSigner } from "../../core/log/note-key.ts";
import { durableTransaction, type DurableWrite } from "../store/durable.ts";
import { CertificateWriter } from "./certificate-writer.ts";
import { GrowingTree } from "./growing-tree.ts";
import { overtaken, RefusedEntry, unwritable } from "./log-failure.ts";
import { TileSource } from "./tile-source.ts";

export interface Appended {
  readonly firstIndex: number;
  readonly size: number;
  readonly checkpoint: string;
}

export interface LogEnd {
  readonly size: number;
  readonly root: Uint8Array;
  /** No entry that comes may be earlier. */
  readonly lastTimeMs: number;
  readonly openIntents: number;
}

/** What the next batch follows. */
interface End {
  readonly tree: GrowingTree;
  /** Intents without a result, in their order. */
  readonly open: Set<number>;
  lastTimeMs: number;
}

export class LogAppender {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #signer: NoteSigner;
  readonly #tiles: TileSource;
  readonly #certificates: CertificateWriter;
  readonly #addEntry: StatementSync;
  readonly #addTile: StatementSync;
  readonly #size: StatementSync;
  readonly #setHead: StatementSync;
  #end: End | undefined;
  #isOvertaken = false;

  /** @param database with a head, checked */
  constructor(database: DatabaseSync, path: string, signer: NoteSigner) {
    this.#database = database;
    this.#path = path;
    this.#signer = signer;
    this.#tiles = new TileSource(database);
    this.#certificates = new CertificateWriter(database);
    this.#addEntry = database.prepare("INSERT INTO entries (idx, data) VALUES (?, ?)");
    this.#addTile = database.prepare(
      "INSERT INTO tiles (level, idx, root, hashes) VALUES (?, ?, ?, ?)",
    );
    this.#size = database.prepare("SELECT size FROM head");
    this.#setHead = database.prepare("UPDATE head SET size = ?, checkpoint = ?, open_from = ?");
  }

  /**
   * Durable when it returns.
   * @param also done in the same transaction
   * @throws LogError `log-unwritable` when the world is at fault, RefusedEntry when the batch is
   */
  append(
    batch: readonly Uint8Array[],
    name: DurableWrite = "log-commit",
    also: () => void = () => {},
  ): Appended {
    if (this.#isOvertaken) throw overtaken(this.#path);
    try {
      const end = (this.#end ??= this.#load());
      const firstIndex = end.tree.size;
      const checkpoint = durableTransaction(this.#database, name, () => {
        this.#expectSize(firstIndex);
        for (const bytes of batch) this.#add(end, bytes);
        also();
        return this.#moveHead(end);
      });
      return { firstIndex, size: end.tree.size, checkpoint };
    } catch (error) {
      this.#end = undefined;
      throw error instanceof RefusedEntry ? error : unwritable(this.#path, error);
    }
  }

  /** @throws RangeError when entries or tiles are missing; LogError `log-entry-...`; what SQLite throws */
  state(): LogEnd {
    const { tree, lastTimeMs, open } = (this.#end ??= this.#load());
    return { size: tree.size, root: tree.root(), lastTimeMs, openIntents: open.size };
  }

  #expectSize(size: number): void {
    if (Number(this.#size.get()?.["size"]) === size) return;
    this.#isOvertaken = true;
    throw overtaken(this.#path);
  }

  #add(end: End, bytes: Uint8Array): void {
    const index = end.tree.size;
    const entry = decodeEntry(bytes);
    if (entry.timeMs < end.lastTimeMs) {
      throw new RefusedEntry(`expected a time from ${end.lastTimeMs} on, got ${entry.timeMs}`);
    }
    end.lastTimeMs = entry.timeMs;
    this.#addEntry.run(index, bytes);
    this.#track(end, index, entry);
    for (const { level, index, root, hashes } of end.tree.append(leafHash(bytes))) {
      this.#addTile.run(level, index, root, hashes);
    }
  }

  #track(end: End, index: number, entry: Entry): void {
    if (entry.kind === "intent") {
      this.#certificates.intent(index, entry);
      end.open.add(index);
    } else if (entry.kind === "result") {
      this.#certificates.result(index, entry);
      end.open.delete(entry.intentIndex);
    }
  }

  #moveHead({ tree, open }: End): string {
    const checkpoint = signCheckpoint(tree.size, tree.root(), this.#signer);
    const [openFrom = tree.size] = open;
    this.#setHead.run(tree.size, checkpoint, openFrom);
    return checkpoint;
  }

  #load(): End {
    const head = this.#database.prepare("SELECT size, open_from FROM head").get();
    const size = Number(head?.["size"]);
    const open = this.#database
      .prepare("SELECT intent FROM certificates WHERE intent >= ? AND result IS NULL")
      .all(Number(head?.["open_from"]));
    const last = this.#database.prepare("SELECT data FROM entries WHERE idx = ?").get(size - 1);
    return {
      tree: GrowingTree.load(this.#tiles, size),
      open: new Set(open.map(({ intent }) => Number(intent))),
      lastTimeMs: last?.["data"] instanceof Uint8Array ? decodeEntry(last["data"]).timeMs : 0,
    };
  }
}
