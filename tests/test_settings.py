"""Settings: every value is checked before any work starts."""

import json

import pytest
from searches import config

from tflottery.experiments import settings


def _read(**changes):
  return settings.read(config(**changes))


def test_the_defaults_are_good_and_become_plain_values():
  s = _read()
  assert (s.dataset, s.model, s.keras, s.steps, s.seeds) == (
    "digits",
    "lenet_300_100",
    "keras",
    1200,
    (0,),
  )
  assert s.optimizer_arguments == {"learning_rate": 1.2e-3}
  assert type(s.rates) is dict and type(s.optimizer_arguments) is dict


def test_the_arguments_of_the_chosen_optimizer_are_taken():
  assert _read(optimizer="sgd").optimizer_arguments == {"learning_rate": 0.1, "momentum": 0.9}
  assert _read(optimizer="rmsprop").optimizer_arguments == {}


def test_lists_single_values_and_words_with_commas_become_tuples():
  s = _read(arms="reinit,random_mask", seeds=[4, 2], arm_levels=3, learning_rate_drops=["2ep", 700])
  assert s.arms == ("reinit", "random_mask")
  assert (s.seeds, s.arm_levels, s.learning_rate_drops) == ((4, 2), (3,), ("2ep", 700))
  assert _read(arms="").arms == ()


def test_a_part_of_the_data_is_chosen_by_plain_values():
  s = _read(half="a", labels=[3, 1], image_shape=[28, 28, 1], image_fit="resize")
  assert (s.half, s.labels, s.image_shape, s.image_fit) == ("a", (3, 1), (28, 28, 1), "resize")
  assert (_read().half, _read().labels, _read().image_shape) == ("", (), ())
  assert settings.from_json(json.loads(json.dumps(settings.as_json(s)))) == s


def test_settings_come_back_from_json():
  s = _read(rates={"output": 0.1}, arms=("reinit",), seeds=(1, 2), learning_rate_drops=("9it",))
  assert settings.from_json(json.loads(json.dumps(settings.as_json(s)))) == s


def test_durations_are_counted_in_steps_of_whole_epochs():
  s = _read(steps="3ep", rewind_to="1ep", batch_size=60)
  assert (s.epoch_steps(1294), s.end(1294), s.rewind_step(1294)) == (21, 63, 21)
  s = _read(steps="500it", rewind_to=7)
  assert (s.end(1294), s.rewind_step(1294)) == (500, 7)
  assert _read().rewind_step(1294) == 0


def test_arms_are_trained_at_their_levels_beside_the_ticket():
  s = _read(levels=4, arms=("reinit", "random_mask"), arm_levels=(2, 4))
  assert [s.arms_at(level) for level in (1, 2)] == [["ticket"], ["ticket", "reinit", "random_mask"]]
  everywhere = _read(levels=4, arms=("reinit",))
  assert all(everywhere.arms_at(level) == ["ticket", "reinit"] for level in (1, 2, 3, 4))


def test_further_criteria_are_chains_of_their_own_at_every_level():
  s = _read(levels=3, criteria=("movement",), arms=("reinit",), arm_levels=(3,))
  assert s.chains == {"ticket": "large_final", "movement": "movement"}
  assert s.arms_at(1) == ["ticket", "movement"]
  assert s.arms_at(3) == ["ticket", "movement", "reinit"]
  assert not s.freezes and _read(arms=("rewind_freeze_init",)).freezes
  assert _read(pruned="freeze_init").freezes


# A bad setting, and what its error must say.
BAD = {
  "a misspelt key": ({"levles": 3}, ["config.levles=3", "Did you mean levels"]),
  "an unknown key": ({"banana": 3}, ["config.banana=3", "learning_rate_decay"]),
  "a rate of 1": ({"rate": 1.0}, ["rate=1.0", "below 1"]),
  "a negative rate": ({"rate": -0.1}, ["rate=-0.1", "at least 0"]),
  "a rate that is no number": ({"rate": "0.2"}, ["rate='0.2'"]),
  "a rate that is not finite": ({"rate": float("nan")}, ["rate=nan"]),
  "a bad rate of a pattern": ({"rates": {"output": 1.5}}, ["rates['output']=1.5"]),
  "no rate above 0": ({"rate": 0.0}, ["rate=0.0", "above 0"]),
  "negative levels": ({"levels": -1}, ["config.levels=-1", "at least 0"]),
  "levels that are no whole number": ({"levels": 2.5}, ["config.levels=2.5", "whole number"]),
  "True for levels": ({"levels": True}, ["config.levels=True"]),
  "an unknown criterion": ({"criterion": "large_fnal"}, ["large_fnal", "Did you mean large_final"]),
  "an unknown further criterion": ({"criteria": ("big",)}, ["config.criteria='big'", "movement"]),
  "a criterion twice": ({"criteria": ("large_final",)}, ["must name each once"]),
  "an unknown reset": ({"kept": "rewound"}, ["kept='rewound' is unknown", "reshuffle"]),
  "an unknown freeze": ({"pruned": "one"}, ["pruned='one' is unknown", "freeze_init"]),
  "signs that are no bool": ({"keep_sign": 1}, ["keep_sign=1", "True or False"]),
  "a reset of weights that go on": (
    {"kept": "constant", "start": "continue"},
    ["kept='constant'", "start='rewind'"],
  ),
  "controls of a ticket that is not rewound": (
    {"pruned": "freeze_init", "arms": ("reinit",)},
    ["config.arms=('reinit',)", "'pruned': 'freeze_init'", "Leave out one"],
  ),
  "arm level 0": ({"arm_levels": (0,)}, ["config.arm_levels=0", "at least 1"]),
  "steps that do not parse": ({"steps": "5x"}, ["config.steps='5x'", "'500it'", "'2ep'"]),
  "negative steps": ({"steps": -5}, ["config.steps=-5"]),
  "no steps": ({"steps": 0}, ["config.steps=0", "at least 1"]),
  "half a step": ({"steps": 1.5}, ["config.steps=1.5"]),
  "a rewind step that does not parse": ({"rewind_to": "soon"}, ["config.rewind_to='soon'"]),
  "a warm-up that does not parse": ({"warmup": "2 epochs"}, ["config.warmup='2 epochs'"]),
  "a drop that does not parse": (
    {"learning_rate_drops": ("10it", "x")},
    ["config.learning_rate_drops='x'"],
  ),
  "an unknown Keras": ({"keras": "jax"}, ["config.keras='jax'", "tf_keras"]),
  "an unknown optimizer": ({"optimizer": "adamm"}, ["config.optimizer='adamm'", "adam"]),
  "optimizer arguments that are none": ({"adam": 0.1}, ["config.adam=0.1"]),
  "an unknown scope": ({"scope": "model"}, ["config.scope='model'", "global"]),
  "an unknown start": ({"start": "rewound"}, ["config.start='rewound'", "continue"]),
  "a strategy without a common gradient": (
    {"strategy": "parameter_server"},
    ["config.strategy='parameter_server'", "no gradient that all agree on"],
  ),
  "a strategy of several processes": (
    {"strategy": "multi_worker_mirrored"},
    ["config.strategy='multi_worker_mirrored'", "a program of your own"],
  ),
  "an unknown strategy": ({"strategy": "tpu"}, ["config.strategy='tpu'", "mirrored"]),
  "an unknown arm": ({"arms": ("reint",)}, ["config.arms='reint'", "Did you mean reinit?"]),
  "an arm twice": ({"arms": ("reinit", "reinit")}, ["config.arms=", "reinit", "once"]),
  "no seeds": ({"seeds": ()}, ["config.seeds=()", "at least one"]),
  "a seed twice": ({"seeds": (1, 1)}, ["config.seeds=(1, 1)", "once"]),
  "a negative seed": ({"seeds": (-1,)}, ["config.seeds=-1", "at least 0"]),
  "a seed that is a word": ({"seeds": "one"}, ["config.seeds='one'"]),
  "an empty batch": ({"batch_size": 0}, ["config.batch_size=0", "at least 1"]),
  "no evaluations": ({"eval_every": 0}, ["config.eval_every=0", "at least 1"]),
  "no workers": ({"workers": 0}, ["config.workers=0", "at least 1"]),
  "no replicas": ({"replicas": 0}, ["config.replicas=0", "at least 1"]),
  "no steps per execution": (
    {"steps_per_execution": -1},
    ["config.steps_per_execution=-1", "at least 1"],
  ),
  "an unknown half": ({"half": "c"}, ["config.half='c'", "'a', 'b'"]),
  "one class": ({"labels": (3,)}, ["config.labels=(3,)", "two classes or more", "()"]),
  "a class twice": ({"labels": (3, 3)}, ["config.labels=(3, 3)", "once"]),
  "a class that is a word": ({"labels": ("cat", "dog")}, ["config.labels='cat'", "whole number"]),
  "images of two sides": (
    {"image_shape": (8, 8)},
    ["config.image_shape=(8, 8)", "(height, width, channels)"],
  ),
  "images without a side": ({"image_shape": (0, 8, 1)}, ["config.image_shape=0", "at least 1"]),
  "an unknown fit": ({"image_fit": "crop"}, ["config.image_fit='crop'", "resize"]),
  "a negative validation split": (
    {"validation_examples": -1},
    ["config.validation_examples=-1"],
  ),
}


def test_arm_levels_above_the_levels_are_not_reached():
  chosen = settings.read(
    config("configs/lth_digits.py", levels=4, arms=("reinit",), arm_levels=(3, 5))
  )
  assert [chosen.arms_at(level) for level in (2, 3, 4)] == [
    ["ticket"],
    ["ticket", "reinit"],
    ["ticket"],
  ]


@pytest.mark.parametrize("name", BAD)
def test_refused_in_one_sentence_that_names_argument_value_and_cure(name):
  changes, words = BAD[name]
  with pytest.raises(ValueError) as error:
    _read(**changes)
  text = str(error.value)
  assert "\n" not in text
  assert [word for word in words if word not in text] == [], text


def test_a_config_that_lacks_a_key_is_refused_by_its_name():
  lacking = config()
  with lacking.unlocked():
    del lacking["eval_every"]
  with pytest.raises(ValueError, match=r"lacks eval_every.*configs/default\.py"):
    settings.read(lacking)


@pytest.mark.parametrize("start", ["continue", "rewind_learning_rate"])
def test_arms_that_freeze_at_what_is_rewound_to_need_a_rewind(start):
  with pytest.raises(ValueError, match=r"rewind_freeze_init.*nothing is rewound"):
    _read(start=start, arms=("reinit", "rewind_freeze_init"))
