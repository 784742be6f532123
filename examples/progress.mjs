// A progress bar on a terminal; elsewhere (a log file, CI) a plain line now and then.
import cliProgress from 'cli-progress';

export class Progress {
  #total;
  #bar;

  constructor(total) {
    this.#total = total;
    if (process.stdout.isTTY) {
      this.#bar = new cliProgress.SingleBar(
        {
          format: '{bar} {value}/{total} | loss {loss} | {eta_formatted} left',
          hideCursor: true,
          stream: process.stdout,
        },
        cliProgress.Presets.shades_classic,
      );
      this.#bar.start(total, 0, { loss: '-' });
    }
  }

  update(step, loss) {
    const text = loss.toFixed(4);
    if (this.#bar) this.#bar.update(step, { loss: text });
    else if (step % 100 === 0 || step === this.#total)
      console.log(`step ${step}/${this.#total}  loss ${text}`);
  }

  stop() {
    this.#bar?.stop();
  }
}
