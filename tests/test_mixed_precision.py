"""Trainings in mixed precision: what they compute in, their learning rates, and masks that hold."""

import numpy as np
import pytest
from builders import KERASES
from runs import outcome, task_of, trained

from tflottery.tickets.ticket import Ticket

HALF = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


@pytest.mark.slow
@pytest.mark.parametrize("policy", HALF)
def test_layers_compute_in_half_precision_and_logits_and_weights_stay_float32(k, policy):
  model = task_of(keras=k.__name__, dtype_policy=policy, algorithm="static").model(0)
  assert model.get_layer("fc1").compute_dtype == HALF[policy]
  assert model.get_layer("output").compute_dtype == "float32"
  assert {value.dtype.name for value in model.get_weights()} == {"float32"}
  assert k.layers.Dense(1).compute_dtype == "float32", "the policy is as it was"
  # bfloat16 has the range of float32: nothing to scale.
  assert hasattr(model.optimizer, "inner_optimizer") == (policy == "mixed_float16")


def test_the_learning_rate_grows_with_the_batch_beneath_warm_up_and_drops(k):
  work = task_of(
    keras=k.__name__, dtype_policy="mixed_float16", algorithm="static", batch_size=120,
    optimizer="sgd", sgd={"learning_rate": 0.1}, learning_rate_batch=30, warmup="1ep",
    learning_rate_drops=("2ep", "3ep"), steps=40,
  )  # fmt: skip
  schedule = work.model(0).optimizer.inner_optimizer._learning_rate
  rates = [float(schedule(step)) for step in (0, 5, 10, 19, 20, 29, 30)]  # epochs of 10 steps
  np.testing.assert_allclose(rates, [0, 0.2, 0.4, 0.4, 0.04, 0.04, 0.004], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("policy", HALF)
@pytest.mark.parametrize("algorithm", ["magnitude", "rigl"])
def test_masked_weights_are_zero_and_a_stopped_run_goes_on_bit_for_bit(
  k, policy, algorithm, tmp_path
):
  work = task_of(
    keras=k.__name__, dtype_policy=policy, algorithm=algorithm, sparsity=0.8, warmup="10it",
    learning_rate_drops=("60it",),
  )  # fmt: skip
  assert trained(work, tmp_path / "whole")
  assert not trained(work, tmp_path / "cut", stop=40)
  assert trained(work, tmp_path / "cut")
  found = outcome(tmp_path / "whole")
  assert found == outcome(tmp_path / "cut")
  ticket = Ticket.load(tmp_path / "whole" / "final.ticket")
  assert not any(ticket.weights[path][~mask].any() for path, mask in ticket.masks.items())
  assert found["summary"]["sparsity"] == pytest.approx(0.8, abs=0.001)
  assert found["summary"]["test_accuracy"] > 0.6


@pytest.mark.slow
@pytest.mark.parametrize("k", KERASES)
@pytest.mark.parametrize("policy", HALF)
def test_a_model_of_ones_own_whose_logits_are_of_half_precision_learns_by_a_loss_in_float32(
  k, policy, tmp_path
):
  work = task_of(
    keras=k.__name__, dtype_policy=policy, algorithm="static", steps=120, eval_every=40,
    model=f"searches:noisy_{k.__name__}",
  )  # fmt: skip
  model = work.model(0)
  logits = model(work.data.inputs(2))
  assert logits.dtype == HALF[policy]
  assert model.loss(np.int32([1, 2]), logits).dtype == "float32"
  assert trained(work, tmp_path)
  assert float(outcome(tmp_path)["rows"][-1]["validation_accuracy"]) > 0.3
