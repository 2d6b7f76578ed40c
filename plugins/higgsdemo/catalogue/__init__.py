"""The catalogue: what the datasets of a campaign are, where their files lie and how much their events weigh.

A catalogue is a directory `include/datasets/<name>/` of files that people can read and edit:

- `catalogue.json`: title, note (shown wherever results are; null for real data), luminosity in 1/pb by year
  with its relative uncertainty, and by stream (trigger and year) that of each data sample, and the mean size
  of a file in bytes, which runs are predicted by;
- `samples.csv`: one physics process or data-taking period a line, with what its normalisation needs;
- `datasets.csv`: one key prefix of the bucket a line, with the number of files below it and its sample;
- `uncertainties.csv`, if there is one: what is not exactly known of the simulation, and whose number that is;
- `NAME.yaml`, if there are some: published spectra, as tables of HEPData, that a plot can `compare` with.

Cross sections are in pb. Events of a simulated sample weigh luminosity x cross section x scale factor /
processed events; events of a data sample weigh 1.
"""

from higgsdemo.catalogue.files import DATASETS_DIR as DATASETS_DIR
from higgsdemo.catalogue.files import CatalogueError as CatalogueError
from higgsdemo.catalogue.files import catalogue_names as catalogue_names
from higgsdemo.catalogue.files import load_catalogue as load_catalogue
from higgsdemo.catalogue.model import UNASSIGNED as UNASSIGNED
from higgsdemo.catalogue.model import Catalogue as Catalogue
from higgsdemo.catalogue.model import Channel as Channel
from higgsdemo.catalogue.model import Dataset as Dataset
from higgsdemo.catalogue.model import Datatype as Datatype
from higgsdemo.catalogue.model import Group as Group
from higgsdemo.catalogue.model import Sample as Sample
from higgsdemo.catalogue.model import Uncertainty as Uncertainty
from higgsdemo.catalogue.model import is_dataset_name as is_dataset_name
from higgsdemo.catalogue.published import Published as Published
