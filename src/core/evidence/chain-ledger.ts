/**
 * A filter chain's connections: how many have ended by Envoy's counter, and of how many of them it has told. Both only grow, whatever
 * becomes of the chain: what is lost stays in their difference until it is seen there.
 */

/** At a flush; what is told later of connections that had ended by then is added. */
export interface LedgerSnapshot {
  readonly ended: number;
  readonly open: number;
  told: number;
}

export class ChainLedger {
  #counter: number;
  #ended = 0;
  #open = 0;
  #told = 0;
  #lost = 0;

  /** @param counter at the beginning: of what ended before nobody has to tell */
  constructor(counter: number) {
    this.#counter = counter;
  }

  /** Not more than there were. */
  get lost(): number {
    return this.#lost;
  }

  /** @param ended by Envoy; what has fallen belonged to a chain that is gone, and has begun anew */
  count(ended: number, open: number): void {
    this.#ended += ended < this.#counter ? ended : ended - this.#counter;
    this.#counter = ended;
    this.#open = open;
  }

  tell(count: number): void {
    this.#told += count;
  }

  /**
   * At a moment at which no connection ends there cannot be more told than have ended. Where there are, a counter has gone with its chain
   * before it was read for the last time, or had counted what was told after the beginning.
   */
  balance(): void {
    this.#told = Math.min(this.#told, this.#ended - this.#lost);
  }

  lose(lost: number): void {
    this.#lost = Math.max(this.#lost, lost);
  }

  snapshot(): LedgerSnapshot {
    return { ended: this.#ended, open: this.#open, told: this.#told };
  }
}
