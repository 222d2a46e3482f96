"""Probes of style codes, compared with scikit-learn."""

import math
import sys
import tempfile
import unittest
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, r2_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.append(str(Path(__file__).parent))
from codes import write  # noqa: E402
from worker import stage  # noqa: E402

FRAMES, CROPS = 60, 4
LAMBDA, NEIGHBOURS = 3.0, 7
FACTORS = ["time_of_day", "cloud", "haze", "season"]
PERIODS = {"time_of_day": 24, "season": 1}


@cache
def data():
    """Images whose codes and colours depend on factors and crops, and whose clusters depend on modes."""
    random = np.random.default_rng(0)
    frames, crops = np.repeat(np.arange(FRAMES), CROPS), np.tile(np.arange(CROPS), FRAMES)
    factors = (random.random((FRAMES, 4)) * [24, 1, 1, 1]).astype(np.float32)
    modes = random.integers(0, 3, FRAMES)
    angles = factors[:, :1] / 24 * 2 * math.pi
    known = np.concatenate([np.cos(angles), factors[:, 1:3], modes[:, None]], axis=1)[frames]
    mixed = known @ random.normal(size=(4, 8)) + 0.3 * crops[:, None] * random.normal(size=8)
    codes = (mixed + random.normal(size=mixed.shape) * 0.4).astype(np.float32)
    colours = np.clip(60 * modes[frames, None] + 20 * crops[:, None] + random.integers(0, 50, (len(frames), 3)), 0, 255)
    clusters = np.where(random.random(len(frames)) < 0.7, modes[frames], random.integers(0, 4, len(frames)))
    splits = np.where(frames % 3 == 1, "val", "train")
    return frames, crops, factors, modes, codes, colours, np.where(splits == "train", clusters, -1), splits


@cache
def probes():
    """Rows of the stage's table by code, target and measure."""
    frames, crops, factors, modes, codes, colours, clusters, splits = data()
    with tempfile.TemporaryDirectory() as folder:
        names = [f"mode {mode}" for mode in modes]
        inputs = write(folder, codes, frames, crops, splits.tolist(), colours, clusters, factors, names)
        output = Path(folder) / "probes.parquet"
        params = {"lambda": LAMBDA, "neighbours": NEIGHBOURS}
        stage("probe_style", inputs, {"probes": output}, **params)
        rows = pq.read_table(output).to_pylist()
    return {(row["code"], row["target"], row["measure"]): row for row in rows}


def subjects():
    *_, codes, colours, _, _ = data()
    return {"style": codes.astype(np.float64), "mean colour": colours.astype(np.float64)}


class Probes(unittest.TestCase):
    def test_r2_of_factors_is_scikit_learn_s(self):
        frames, _, factors, *_, splits = data()
        train, val = splits == "train", splits == "val"
        for code, points in subjects().items():
            for column, factor in enumerate(FACTORS):
                targets = factors[frames, column].astype(np.float64)
                if factor in PERIODS:
                    angles = targets * 2 * math.pi / PERIODS[factor]
                    targets = np.stack([np.sin(angles), np.cos(angles)], axis=1)
                model = make_pipeline(StandardScaler(), Ridge(alpha=LAMBDA)).fit(points[train], targets[train])
                if targets.ndim == 1:
                    wanted = r2_score(targets[val], model.predict(points[val]))
                else:
                    wanted = r2_score(targets[val], model.predict(points[val]), multioutput="variance_weighted")
                row = probes()[code, factor, "R2"]
                self.assertAlmostEqual(row["value"], wanted, delta=1e-9, msg=f"{code}, {factor}")
                self.assertLess(row["value_low"], wanted)
                self.assertGreater(row["value_high"], wanted)
                self.assertEqual((row["images"], row["frames"]), (int(val.sum()), FRAMES // 3))

    def test_accuracy_of_crops_is_scikit_learn_s(self):
        _, crops, *_, splits = data()
        train, val = splits == "train", splits == "val"
        for code, points in subjects().items():
            model = make_pipeline(StandardScaler(), RidgeClassifier(alpha=LAMBDA)).fit(points[train], crops[train])
            row = probes()[code, "crop", "accuracy"]
            self.assertAlmostEqual(row["value"], model.score(points[val], crops[val]), delta=1e-12, msg=code)
            self.assertEqual(row["chance"], 1 / CROPS)

    def test_precision_is_scikit_learn_s(self):
        frames, _, _, modes, *_, splits = data()
        label, val = modes[frames], np.flatnonzero(splits == "val")
        for code, points in subjects().items():
            order = NearestNeighbors(n_neighbors=len(points)).fit(points).kneighbors(points[val])[1]
            hits, chances = [], []
            for image, row in zip(val, order):
                others = row[frames[row] != frames[image]]
                hits.append((label[others[:NEIGHBOURS]] == label[image]).mean())
                chances.append((label[others] == label[image]).mean())
            row = probes()[code, "mode", f"precision at {NEIGHBOURS}"]
            # Colours are integers, so images at equal distances may be in another order here.
            delta = 1e-12 if code == "style" else 0.02
            self.assertAlmostEqual(row["value"], np.mean(hits), delta=delta, msg=code)
            self.assertAlmostEqual(row["chance"], np.mean(chances), delta=1e-12)

    def test_agreement_of_clusters_is_scikit_learn_s(self):
        frames, _, _, modes, _, _, clusters, _ = data()
        there = clusters >= 0
        labels = modes[frames][there], clusters[there]
        for measure, score in [("NMI", normalized_mutual_info_score), ("ARI", adjusted_rand_score)]:
            row = probes()["style clusters", "mode", measure]
            self.assertAlmostEqual(row["value"], score(*labels), delta=1e-12, msg=measure)
            self.assertEqual(row["images"], int(there.sum()))


if __name__ == "__main__":
    unittest.main()
