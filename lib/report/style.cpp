#include "report/style.hpp"

namespace sst::report {

std::string_view report_style() {
  return R"css(
:root {
  color-scheme: light dark;
  --page: #f7f7f5; --card: #ffffff; --ink: #1d2026; --soft: #646b78; --rule: #e4e5e8; --accent: #2459a9;
  --good: #16734a; --good-back: #e3f3ea; --bad: #b3261e; --bad-back: #fbe9e7; --wait: #8a5a00; --wait-back: #fdf1d8;
  --line-0: #1f6fb4; --line-1: #d4570a; --line-2: #118a63; --line-3: #b8468f;
  --line-4: #b98900; --line-5: #3aa0c9; --line-6: #6b52ae; --line-7: #7a5c2e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14161a; --card: #1c1f25; --ink: #e7e9ee; --soft: #9aa2b1; --rule: #2e323a; --accent: #7fb0f5;
    --good: #6fd3a0; --good-back: #16362a; --bad: #ff9a8f; --bad-back: #43201d; --wait: #f0c36a; --wait-back: #3d3116;
    --line-0: #5aa9e6; --line-1: #ff8a4c; --line-2: #3fc79a; --line-3: #e68ac3;
    --line-4: #e8bb3f; --line-5: #7cd0ef; --line-6: #a793ee; --line-7: #c4a373;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 2.2rem 1.2rem 3rem; }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.2; letter-spacing: -.015em; overflow-wrap: anywhere; }
h2 { margin: 2.2rem 0 .7rem; font-size: 1.08rem; }
h3 { margin: 0 0 .35rem; font-size: .88rem; font-weight: 600; color: var(--soft); }
.lead { margin: .4rem 0 0; color: var(--soft); overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .8rem; margin: 1.4rem 0 0; }
.fact { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: .75rem .95rem; }
.fact b { display: block; font-size: 1.3rem; line-height: 1.3; font-weight: 650; font-variant-numeric: tabular-nums; }
.fact span { display: block; color: var(--soft); font-size: .8rem; }
.state { display: inline-block; padding: .08rem .55rem; border-radius: 99px; font-size: .8rem; font-weight: 600;
  background: var(--wait-back); color: var(--wait); }
.state.finished { background: var(--good-back); color: var(--good); }
.state.failed, .state.diverged, .state.missing, .state.unreadable { background: var(--bad-back); color: var(--bad); }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 1rem; }
.scroll { overflow-x: auto; padding: .2rem 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-size: .8rem; font-weight: 600; vertical-align: bottom; }
th.key, td.key { text-align: left; }
td.key { font-weight: 550; }
td.best { font-weight: 700; }
td.second { text-decoration: underline; text-underline-offset: 3px; text-decoration-thickness: 1.5px; }
td.muted { color: var(--soft); font-size: .88em; font-weight: 400; }
td .note { color: var(--bad); font-weight: 400; font-size: .85em; margin-left: .6em; display: inline-block; }
td.bad { color: var(--bad); }
td.spread { padding-top: 0; padding-bottom: 0; width: 190px; }
td.wrap { white-space: normal; overflow-wrap: anywhere; text-align: left; }
svg.spread { display: block; width: 180px; height: 30px; margin-left: auto; overflow: visible; }
.swatch { display: inline-block; width: .7em; height: .7em; border-radius: 3px; margin-right: .5em; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 1rem; }
.charts.three { grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); }
.charts > .card:only-child { max-width: 34rem; }
figure { margin: 0; min-width: 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 0 1rem; align-items: start; }
svg.chart { display: block; width: 100%; height: auto; color: var(--soft); font-family: inherit; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: 0 0 .8rem; padding: 0; list-style: none; font-size: .88rem; }
.legend i { display: inline-block; width: 1.3em; height: 3px; border-radius: 2px; margin-right: .5em; vertical-align: middle; }
.notes { margin: .9rem 0 0; padding-left: 1.1rem; color: var(--soft); font-size: .86rem; overflow-wrap: anywhere; }
.notes li { margin: .15rem 0; }
details { margin-top: 1rem; }
summary { cursor: pointer; font-weight: 600; }
details[open] summary { margin-bottom: .6rem; }
pre { margin: 0; overflow-x: auto; font: 12.5px/1.55 ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; }
footer { margin-top: 2.5rem; color: var(--soft); font-size: .8rem; }
@media (max-width: 600px) {
  main { padding: 1.3rem .8rem 2rem; }
  h1 { font-size: 1.3rem; }
  .card { padding: .7rem; } .scroll { padding: .1rem .7rem; }
  .fact b { font-size: 1.1rem; }
}
@media print { body { background: none; } .card, .fact { break-inside: avoid; } }
)css";
}

}  // namespace sst::report
